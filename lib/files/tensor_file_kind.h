/* tensor_file_kind.h - the interface that each file format implements, and their shared helpers.  Private to lib. */
#ifndef TG_TENSOR_FILE_KIND_H
#define TG_TENSOR_FILE_KIND_H
#include "checksum.h"
#include "file_out.h"
#include "tensor_file.h"

typedef struct {
    const char *format;
    bool (*recognises)(const uint8_t *first, size_t n); /* given the first n <= 8 bytes of a file */
    /* Fills in the table of contents, in memory of s, and reader->own.  False: s has failed. */
    bool (*open)(tg_scope *s, tg_tensor_file *f);
    bool (*read)(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
    void (*close)(tg_tensor_file *f); /* frees reader->own; the caller closes the descriptor */
} tg_file_kind;

extern const tg_file_kind tg_safetensors_kind, tg_npz_kind, tg_npy_kind;

/* The storage order of a tensor in its file, if it is not little-endian and row-major. */
typedef struct {
    size_t size;    /* bytes of an element; 0: unknown */
    size_t swapped; /* bytes of each big-endian number; 0: none */
    bool columns;   /* Fortran order: the first axis is the innermost */
} tg_file_form;

typedef struct tg_tensor_reader {
    const tg_file_kind *kind;
    tg_scope *scope;
    int fd;
    uint64_t size;      /* of the file */
    uint64_t data;      /* the file offset of place 0 */
    void *own;          /* private to the kind */
    tg_file_form *form; /* [n]; NULL: no tensor needs one */
    void *whole;        /* all bytes of tensor whole_of, which is in Fortran order; NULL: none loaded */
    int whole_of;
    int *by_name, *by_key; /* [n], [n_meta] indices of tensors and metadata, sorted by name */
    const char *sums;      /* the mark tilegrad.tensors, or NULL */
    tg_checksum *hash;     /* of the tensor being read in order: its state, */
    int hashing;           /* the tensor's index, */
    uint64_t hashed;       /* and the bytes hashed so far */
} tg_tensor_reader;

/* Reads n bytes at file offset `at`; fails s, naming the path, on errors and at the end of the file. */
bool tg_read_at(tg_scope *s, const tg_tensor_file *f, uint64_t at, size_t n, void *to);
/* Reads bytes of a tensor that has a form, in little-endian and row-major order. */
bool tg_file_read_formed(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
/* Checks that the file is open and has a tensor i; if not, fails s. */
bool tg_file_has(tg_scope *s, const tg_tensor_file *f, int i);

typedef struct {
    char name[12]; /* "F32" */
    int bits;      /* of an element */
} tg_file_dtype;
const tg_file_dtype *tg_file_dtype_find(const char *name); /* NULL: unknown */
/* The size of a shape in bytes.  False if it exceeds 2^48 (sizes of 0 do not hide that) or is not a whole number.  With
 * bits 8 it counts elements. */
bool tg_file_shape_bytes(int rank, const int64_t *dim, int bits, uint64_t *bytes);

enum { TG_MOST_NAME = 512 }; /* bytes */
/* The reason why a file may not give a tensor this name, or NULL. */
const char *tg_file_name_trouble(const char *name, size_t length);
bool tg_file_is_mark(const char *key); /* metadata reserved for tilegrad */

/* For n things of `size` bytes whose first field is a `const char *` name: sort_names sorts their indices by name;
 * name_find returns the index of a name, or -1; name_twice returns a duplicate name, or NULL. */
void tg_file_sort_names(const void *things, size_t size, int n, int *by_name);
int tg_file_name_find(const void *things, size_t size, int n, const int *by_name, const char *name);
const char *tg_file_name_twice(const void *things, size_t size, int n, const int *by_name);

/* The writers behind tg_tensor_file_create. */
typedef struct tg_file_writer_kind tg_file_writer_kind;

struct tg_tensor_writer {
    tg_scope *scope;
    const tg_file_writer_kind *kind;
    tg_file_out out;
    const char *path;
    tg_file_tensor *tensor; /* [n] the caller's: checked, sorted, with place and bytes filled in */
    int n;
    const tg_file_meta *meta; /* [n_meta] valid UTF-8 */
    int n_meta;
    int now;       /* the tensor being written */
    uint64_t done; /* its bytes written so far */
    void *own;     /* private to the kind */
};

struct tg_file_writer_kind {
    bool (*begin)(tg_scope *s, tg_tensor_writer *w); /* w->out is open */
    /* Writes the next n bytes of tensor w->now, from w->done on; the caller advances w->done.  Called once, with n 0,
     * for an empty tensor. */
    bool (*write)(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n);
    bool (*finish)(tg_scope *s, tg_tensor_writer *w); /* called before the commit */
    void (*close)(tg_tensor_writer *w);               /* frees w->own, which may be NULL */
};
extern const tg_file_writer_kind tg_safetensors_writer, tg_npz_writer;
#endif
