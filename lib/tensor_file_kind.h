/* tensor_file_kind.h - what a kind of file implements, and what they share.  Private to lib. */
#ifndef TG_TENSOR_FILE_KIND_H
#define TG_TENSOR_FILE_KIND_H
#include "tensor_file.h"

typedef struct {
    const char *format;
    bool (*recognises)(const uint8_t *first, size_t n);          /* the first n <= 8 bytes of a file */
    /* Fills the table of contents (and reader->own) in; s has the memory.  False and s failed. */
    bool (*open)(tg_scope *s, tg_tensor_file *f);
    bool (*read)(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
    void (*close)(tg_tensor_file *f);                            /* reader->own; the descriptor is closed by the caller */
} tg_file_kind;

extern const tg_file_kind tg_safetensors_kind, tg_npz_kind, tg_npy_kind;

typedef struct tg_tensor_reader {
    const tg_file_kind *kind;
    tg_scope *scope;
    int       fd;
    uint64_t  size;                    /* of the file */
    uint64_t  data;                    /* where places are counted from */
    void     *own;                     /* the kind's */
    const char *sums;                  /* the mark tilegrad.tensors, or NULL */
    void     *hash;                    /* of the tensor that is being read in order: its state, number, next byte */
    int       hashing;
    uint64_t  hashed;
} tg_tensor_reader;

/* n bytes at `at` of the file; fails s (with the path) on errors and at its end. */
bool tg_read_at(tg_scope *s, const tg_tensor_file *f, uint64_t at, size_t n, void *to);

typedef struct {
    char name[10];                     /* "F32" */
    int  bits;                         /* of an element */
} tg_file_dtype;
const tg_file_dtype *tg_file_dtype_find(const char *name);       /* NULL: unknown */
/* Elements of a shape, or bytes; false if they do not fit 2^48. */
bool tg_file_shape_bytes(int rank, const int64_t *dim, int bits, uint64_t *bytes);

/* Why this is no name that a file may give a tensor, or NULL. */
const char *tg_file_name_trouble(const char *name, size_t length);

/* The writers behind tg_tensor_file_create. */
typedef struct {
    bool (*begin) (tg_scope *s, tg_tensor_writer *w);
    bool (*write) (tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n);     /* within one tensor: w->now */
    bool (*finish)(tg_scope *s, tg_tensor_writer *w);            /* before the commit */
    void (*close) (tg_tensor_writer *w);                         /* w->own */
} tg_file_writer_kind;
extern const tg_file_writer_kind tg_safetensors_writer, tg_npz_writer;
#endif
