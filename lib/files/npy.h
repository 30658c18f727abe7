/* npy.h - the header of NumPy's .npy.  Private to lib.
 *
 * "\x93NUMPY", a version (1.0, 2.0 or 3.0), the length of the rest (2 bytes in 1.0, otherwise 4), a Python dictionary
 * with exactly the keys 'descr', 'fortran_order' and 'shape', spaces, a line feed.  The elements follow.
 *
 * A dtype that safetensors has, too, gets its name there, however NumPy spells it; byte order and order of axes go into
 * the form.  Any other dtype keeps its spelling, "<U7" or "structured": such a tensor is listed and its bytes can be
 * read, but its elements cannot be converted. */
#ifndef TG_NPY_H
#define TG_NPY_H
#include "tensor_file_kind.h"

enum { TG_NPY_MOST_HEADER = 10000 }; /* bytes; NumPy's limit, though it writes 128 */

typedef struct {
    const char *what;                                          /* "runs/x.npz: weight.npy", for messages */
    uint64_t size;                                             /* bytes of header and elements */
    bool (*take)(tg_scope *s, void *from, size_t n, void *to); /* reads the next n bytes; false: s has failed */
    void *from;
} tg_npy_source;

/* Reads the header; sets dtype, rank, dim, bytes and trouble of t, its form, and the header's length.  False, and s has
 * failed, if it is malformed, or if the elements that it declares do not fill the rest of the source exactly. */
bool tg_npy_take_header(tg_scope *s, const tg_npy_source *from, tg_file_tensor *t, tg_file_form *form, size_t *length);

/* The safetensors name of NumPy's dtype `descr`; NULL: there is none.  Sets its form; form->size is 0 if unknown. */
const char *tg_npy_type(const char *descr, tg_file_form *form);

/* NumPy's spelling of a safetensors dtype; NULL: there is none. */
const char *tg_npy_dtype(const char *dtype);
/* Composes a header of version 1.0 for t, whose dtype NumPy has; returns its length, a multiple of 64. */
size_t tg_npy_make_header(const tg_file_tensor *t, char to[TG_NPY_MOST_HEADER]);
#endif
