/* npy.h - the header of NumPy's .npy.  Private to lib.
 *
 * "\x93NUMPY", a version (1.0, 2.0 or 3.0), the length of the rest (2 bytes in 1.0, 4 else), a Python dictionary with
 * exactly the keys 'descr', 'fortran_order' and 'shape', spaces, a line feed.  The numbers follow.
 *
 * A type that safetensors has gets the name it has there, however it is spelled; the order of bytes and axes becomes
 * the form.  Any other stays as it is spelled, "<U7" or "structured": such a tensor is in the table of contents and its
 * bytes can be read, but there is no conversion of its numbers. */
#ifndef TG_NPY_H
#define TG_NPY_H
#include "tensor_file_kind.h"

enum { TG_NPY_MOST_HEADER = 10000 }; /* bytes, as in NumPy, whose own take 128 */

typedef struct {
    const char *what;                                          /* "runs/x.npz: weight.npy", for messages */
    uint64_t size;                                             /* of header and numbers */
    bool (*take)(tg_scope *s, void *from, size_t n, void *to); /* the next n bytes; false and s failed */
    void *from;
} tg_npy_source;

/* Takes the header; fills dtype, rank, dim, bytes and trouble of t in, its form, and the header's length.  False and s
 * failed if it is none, or the numbers that it announces are not what is left of the source's size. */
bool tg_npy_take_header(tg_scope *s, const tg_npy_source *from, tg_file_tensor *t, tg_file_form *form, size_t *length);

/* The safetensors dtype of one that NumPy spells so, or NULL; and its form, with size 0 if it is not known. */
const char *tg_npy_type(const char *descr, tg_file_form *form);

/* How NumPy spells a dtype of safetensors, or NULL. */
const char *tg_npy_dtype(const char *dtype);
/* A header of version 1.0 for t, whose dtype has a spelling; returns its length, a multiple of 64. */
size_t tg_npy_make_header(const tg_file_tensor *t, char to[TG_NPY_MOST_HEADER]);
#endif
