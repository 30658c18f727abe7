/* zip_files.h - handmade ZIP files, good and bad, for tests. */
#ifndef TG_ZIP_FILES_H
#define TG_ZIP_FILES_H
#include "data_files.h"
#include <tilegrad/tensor_file.h>

/* A member: a .npy of version 1.0 with this dictionary (NULL: "{'descr': '|u1', ... 'shape': (data,), }") and `data`
 * bytes, byte i being i * 7 + 3; or `raw`.  The fields after these make it unusual or wrong. */
typedef struct {
    const char *name; /* "x.npy" */
    const char *dict, *raw;
    uint32_t data;
    bool deflated;
    bool wide, descriptor;   /* zip64 sizes; sizes repeated after the data, */
    int twice;               /* zip64 sizes although the 32-bit ones suffice; off by this - 1 */
    bool streamed;           /* with 0 for them in the local header, as Python streams */
    int flags, method, disk; /* added in both headers (disk: in the directory) */
    int crc, place, local;   /* added to the directory's values; to the packed size in the local header */
    int64_t packed, size;    /* added in both headers */
    int gap, after;          /* bytes in front of the member; after its compressed bytes, counted as part of them */
    const char *local_name;  /* in the local header; NULL: the same */
    const char *extra;       /* 8 bytes in the directory */
} zip_member;

/* The end records, and errors in them. */
typedef struct {
    int members, bytes, place, disk; /* added */
    bool wide;                       /* zip64 */
    int wide_bytes, wide_at;         /* added in the zip64 record, and to its place */
    int gap;                         /* bytes in front of the directory */
    const char *comment;
    int comment_size; /* added to the declared size */
    const char *tail; /* after everything */
} zip_end;

#define NPY_DICT(descr, fortran, shape) "{'descr': " descr ", 'fortran_order': " fortran ", 'shape': " shape ", }"
#define NPY_F4(shape)                   NPY_DICT("'<f4'", "False", shape)

blob zip_make(const zip_member *m, int n, zip_end end);
/* A .npy with this dictionary, padded with spaces and a line feed to a multiple of 64, and `data` bytes. */
blob npy_make(const char *dict, size_t data);

const char *zip_put(const char *name, const blob *b); /* writes it to the folder of data_files.h; returns its path */
bool zip_verify(tg_scope *s, tg_tensor_file *f);      /* verifies all tensors */
/* Checks that opening or verifying the file fails with a message that contains this; NULL: that it succeeds.  Resets s.
 */
void zip_expect(tg_scope *s, const char *row, const blob *b, const char *contains);
#endif
