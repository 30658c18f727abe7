/* datasets.h - images with classes, and the loader that turns them into batches. */
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
    /* Of the training images (all of them, for the known sets), by channel, in units of 0..1: for normalising. */
    float mean[4], deviation[4];
    const char *note; /* something the user should know ("a sample; for all of it ..."), or NULL */
    tg_scope *scope;  /* that it lives in; NULL: the program made it, and sees to that itself */
} tg_dataset;

/* All return NULL once s has failed.  dir NULL: the usual places, or where the environment says: TG_FASHION_MNIST_DIR,
 * TG_SAMPLE_DIR; TG_DATA_DIR for CIFAR, which is else looked for in data and in the current folder. */
/* The whole Fashion-MNIST where Debian's dataset-fashion-mnist puts it; without it the sample, with a note. */
tg_dataset *tg_fashion_mnist(tg_scope *s, const char *dir, tg_split split);
tg_dataset *tg_fashion_mnist_sample(tg_scope *s, const char *dir, tg_split split); /* 2,000 + 500 images */
tg_dataset *tg_cifar10(tg_scope *s, const char *dir, tg_split split);  /* data_batch_1.bin .. 5, test_batch.bin */
tg_dataset *tg_cifar100(tg_scope *s, const char *dir, tg_split split); /* train.bin, test.bin (fine labels) */
/* A folder, recognised by the files in it: IDX (train-images-idx3-ubyte[.gz], or train-images.idx3-ubyte ...) or CIFAR.
 */
tg_dataset *tg_dataset_open(tg_scope *s, const char *dir, tg_split split);
/* Images in memory, copied. */
tg_dataset *tg_dataset_from(tg_scope *s, int64_t count, int h, int w, int c, int classes, const uint8_t *images,
                            const uint8_t *labels);
/* One IDX file, plain or gzip (one member or several): dims and data, or NULL.  Elements of another type than unsigned
 * bytes are converted if they are whole numbers of 0 .. 255, and refused else.  Nothing is allocated from a declared
 * size before the file is known to hold it. */
const uint8_t *tg_idx_read(tg_scope *s, const char *path, int want_rank, int64_t dim[4]);

/* ---- loader ---- */
typedef struct {
    int batch;                  /* images a batch; required */
    uint64_t seed;              /* order and augmentation depend on (seed, epoch, index) alone */
    bool no_shuffle, drop_last; /* shuffled unless said otherwise (PyTorch: in order) */
    int crop_pad;               /* random crop after padding this many black pixels on each side; 0: none */
    bool flip;                  /* mirror every other image, by chance */
    int workers;                /* threads that prepare batches; 0: one.  Results never depend on it */
    bool no_normalize;          /* pixels in 0..1, instead of (x - mean) / deviation by channel */
} tg_loader_config;
typedef struct tg_loader tg_loader;
/* data has to live as long as s. */
tg_loader *tg_loader_new(tg_scope *s, const tg_dataset *data, tg_loader_config config);

typedef struct {
    tg_tensor *x; /* f32 [count, h, w, c] */
    tg_tensor *y; /* i64 [count] */
    int count;
    int64_t first;         /* how many images of the epoch came before */
    const uint32_t *index; /* [count] their numbers in the data set; as long as x */
} tg_batch;
/* The next batch, as leaves of s, until s is reset.  False at the end of an epoch (the next call begins the next one)
 * and once s has failed. */
bool tg_next(tg_scope *s, tg_loader *loader, tg_batch *batch);
int64_t tg_loader_batches(const tg_loader *loader); /* in an epoch */
/* Where it is, for tg_save_all and tg_load_all (state.h): seed, epoch, batch.  Loading wants the same number of images,
 * batch size and options (not workers), so that the rest of the epoch is the same images.  Prefix "loader/". */
tg_stateful tg_loader_state(tg_loader *loader);
void tg_loader_seek(tg_scope *s, tg_loader *loader, int64_t epoch, int64_t batch); /* where to go on */

#ifdef __cplusplus
}
#endif
#endif
