/* tensor_file_kind.h - what a kind of file implements, and what they share.  Private to lib. */
#ifndef TG_TENSOR_FILE_KIND_H
#define TG_TENSOR_FILE_KIND_H
#include "checksum.h"
#include "file_out.h"
#include "tensor_file.h"

typedef struct {
    const char *format;
    bool (*recognises)(const uint8_t *first, size_t n); /* the first n <= 8 bytes of a file */
    /* Fills the table of contents (and reader->own) in; s has the memory.  False and s failed. */
    bool (*open)(tg_scope *s, tg_tensor_file *f);
    bool (*read)(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
    void (*close)(tg_tensor_file *f); /* reader->own; the descriptor is closed by the caller */
} tg_file_kind;

extern const tg_file_kind tg_safetensors_kind, tg_npz_kind, tg_npy_kind;

/* How a tensor lies in its file, where that is not as it is read. */
typedef struct {
    size_t size;    /* of an element; 0: not known */
    size_t swapped; /* bytes of each number that lies the big end first; 0: none */
    bool columns;   /* Fortran order: the first axis is the innermost */
} tg_file_form;

typedef struct tg_tensor_reader {
    const tg_file_kind *kind;
    tg_scope *scope;
    int fd;
    uint64_t size;      /* of the file */
    uint64_t data;      /* where places are counted from */
    void *own;          /* the kind's */
    tg_file_form *form; /* [n]; NULL: all lie as they are read */
    void *whole;        /* all bytes of tensor whole_of, which has columns; NULL: none are held */
    int whole_of;
    int *by_name, *by_key; /* [n], [n_meta] the numbers of tensors and metadata, sorted by name */
    const char *sums;      /* the mark tilegrad.tensors, or NULL */
    tg_checksum *hash;     /* of the tensor that is being read in order: its state, number, next byte */
    int hashing;
    uint64_t hashed;
} tg_tensor_reader;

/* n bytes at `at` of the file; fails s (with the path) on errors and at its end. */
bool tg_read_at(tg_scope *s, const tg_tensor_file *f, uint64_t at, size_t n, void *to);
/* Bytes of a tensor by its form. */
bool tg_file_read_formed(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
/* Is there a tensor i, and is the file open?  If not, s has failed. */
bool tg_file_has(tg_scope *s, const tg_tensor_file *f, int i);

typedef struct {
    char name[12]; /* "F32" */
    int bits;      /* of an element */
} tg_file_dtype;
const tg_file_dtype *tg_file_dtype_find(const char *name); /* NULL: unknown */
/* Bytes of a shape; false if they do not fit 2^48, not even without the sizes that are 0, or are not whole.  bits 8:
 * its elements. */
bool tg_file_shape_bytes(int rank, const int64_t *dim, int bits, uint64_t *bytes);

enum { TG_MOST_NAME = 512 }; /* bytes */
/* Why this is no name that a file may give a tensor, or NULL. */
const char *tg_file_name_trouble(const char *name, size_t length);
bool tg_file_is_mark(const char *key); /* of a file's metadata: tilegrad's own */

/* Of n things of `size` bytes that begin with a `const char *`: their numbers in the order of these names; the number
 * of the one with this name, or -1; a name that two of them have, or NULL. */
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
    tg_file_tensor *tensor; /* [n] the caller's: checked, sorted, place and bytes are filled in */
    int n;
    const tg_file_meta *meta; /* [n_meta] valid UTF-8 */
    int n_meta;
    int now;       /* the tensor that the next byte is of */
    uint64_t done; /* of its bytes */
    void *own;     /* the kind's */
};

struct tg_file_writer_kind {
    bool (*begin)(tg_scope *s, tg_tensor_writer *w); /* w->out is open */
    /* The next bytes of tensor w->now, from w->done on: it is the caller who counts on afterwards.  Once for an empty
     * tensor, with n 0. */
    bool (*write)(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n);
    bool (*finish)(tg_scope *s, tg_tensor_writer *w); /* before the commit */
    void (*close)(tg_tensor_writer *w);               /* w->own, which may be NULL */
};
extern const tg_file_writer_kind tg_safetensors_writer, tg_npz_writer;
#endif
