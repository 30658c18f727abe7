/* datasets.h - data sets of labelled images, and the loader that makes batches of them. */
#ifndef TG_DATASETS_H
#define TG_DATASETS_H
#include "state.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TG_TRAIN, TG_TEST } tg_split;

typedef struct tg_dataset {
    const char *name; /* "Fashion-MNIST" */
    int64_t count;
    int h, w, c, classes;
    const uint8_t *images;          /* [count, h, w, c] */
    const uint8_t *labels;          /* [count] */
    const char *const *class_names; /* [classes] */
    /* Per channel, of pixels scaled to 0 to 1, for normalisation: of all training images for the known data sets. */
    float mean[4], deviation[4];
    const char *note; /* something that the user should know ("a sample; for all of it ..."), or NULL */
    tg_scope *scope;  /* its owner; NULL: it belongs to the program */
} tg_dataset;

/* All return NULL if s has failed.  If dir is NULL they look in the environment's TG_FASHION_MNIST_DIR, TG_SAMPLE_DIR
 * or TG_DATA_DIR (CIFAR), then in the usual places (CIFAR: in data and the current folder). */
/* Fashion-MNIST as Debian's package dataset-fashion-mnist installs it; without the package the sample, with a note. */
tg_dataset *tg_fashion_mnist(tg_scope *s, const char *dir, tg_split split);
tg_dataset *tg_fashion_mnist_sample(tg_scope *s, const char *dir, tg_split split); /* 2,000 and 500 images */
tg_dataset *tg_cifar10(tg_scope *s, const char *dir, tg_split split);  /* data_batch_1.bin to _5, test_batch.bin */
tg_dataset *tg_cifar100(tg_scope *s, const char *dir, tg_split split); /* train.bin, test.bin (fine labels) */
/* The data set in a folder, recognised by its files: IDX (train-images-idx3-ubyte[.gz], train-images.idx3-ubyte ...) or
 * CIFAR. */
tg_dataset *tg_dataset_open(tg_scope *s, const char *dir, tg_split split);
/* The sets with a name, as datasets.def lists them. */
typedef struct {
    const char *name; /* "fashion-mnist" */
    tg_dataset *(*open)(tg_scope *s, const char *dir, tg_split split);
} tg_dataset_info;
const tg_dataset_info *tg_datasets(int *count);
const tg_dataset_info *tg_find_dataset(const char *name); /* NULL if there is none */
/* Images in memory, copied. */
tg_dataset *tg_dataset_from(tg_scope *s, int64_t count, int h, int w, int c, int classes, const uint8_t *images,
                            const uint8_t *labels);
/* Reads an IDX file, plain or gzip (of any number of members): returns its data and fills in dim, or NULL.  Elements of
 * other types than unsigned bytes are converted; values other than whole numbers from 0 to 255 are an error.  Memory is
 * allocated only for data that the file is known to contain. */
const uint8_t *tg_idx_read(tg_scope *s, const char *path, int want_rank, int64_t dim[4]);

/* ---- loader ---- */
typedef struct {
    int batch;                  /* images a batch; required */
    uint64_t seed;              /* order and augmentation depend only on (seed, epoch, index) */
    bool no_shuffle, drop_last; /* the default is to shuffle (PyTorch's is not) */
    int crop_pad;               /* pad each side with this many black pixels, then crop at random; 0: neither */
    bool flip;                  /* mirror each image with probability 1/2 */
    int workers;                /* threads that prepare batches; 0 means 1.  Results do not depend on it */
    bool no_normalize;          /* pixels from 0 to 1 instead of (x - mean) / deviation per channel */
} tg_loader_config;
typedef struct tg_loader tg_loader;
/* data must stay valid as long as s. */
tg_loader *tg_loader_new(tg_scope *s, const tg_dataset *data, tg_loader_config config);

typedef struct {
    tg_tensor *x; /* f32 [count, h, w, c] */
    tg_tensor *y; /* i64 [count] */
    int count;
    int64_t first;         /* images of this epoch in earlier batches */
    const uint32_t *index; /* [count] indices of the images in the data set; valid as long as x */
} tg_batch;
/* The next batch, as leaves of s.  False at the end of an epoch (the next call starts another) and if s has failed. */
bool tg_next(tg_scope *s, tg_loader *loader, tg_batch *batch);
int64_t tg_loader_batches(const tg_loader *loader); /* per epoch */
/* The position (seed, epoch, batch) for tg_save_all and tg_load_all (state.h).  Loading requires the same number of
 * images, batch size and options (but not workers), so that the rest of the epoch has the same images.  The prefix is
 * "loader/". */
tg_stateful tg_loader_state(tg_loader *loader);
void tg_loader_seek(tg_scope *s, tg_loader *loader, int64_t epoch, int64_t batch); /* sets the position */

#ifdef __cplusplus
}
#endif
#endif
