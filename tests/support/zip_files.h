/* zip_files.h - ZIP files made by hand, good and bad, for tests. */
#ifndef TG_ZIP_FILES_H
#define TG_ZIP_FILES_H
#include "data_files.h"
#include <tilegrad/tensor_file.h>

/* A member: a .npy of version 1.0 with this dictionary (NULL: "{'descr': '|u1', ... 'shape': (data,), }") and `data`
 * bytes, byte i being i * 7 + 3; or `raw`.  What follows are lies, and what is unusual. */
typedef struct {
    const char *name; /* "x.npy" */
    const char *dict, *raw;
    uint32_t data;
    bool deflated;
    bool wide, descriptor;   /* sizes of 64 bits; and again after the data, */
    int twice;               /* sizes of 64 bits though the others stand there, too; plus this - 1 */
    bool streamed;           /* with 0 for them in its own header, as Python streams */
    int flags, method, disk; /* added in both headers, or in the directory */
    int crc, place, local;   /* added to the directory's; to the packed size of its own header */
    int64_t packed, size;    /* added to both headers' */
    int gap, after;          /* bytes before the member; after its compressed bytes, counted as theirs */
    const char *local_name;  /* in its own header; NULL: the same */
    const char *extra;       /* 8 bytes in the directory */
} zip_member;

/* What is said at the end. */
typedef struct {
    int members, bytes, place, disk; /* added */
    bool wide;                       /* zip64 */
    int wide_bytes, wide_at;         /* added in the record of 64 bits, and to its place */
    int gap;                         /* bytes before the directory */
    const char *comment;
    int comment_size; /* added to what is said of it */
    const char *tail; /* after it all */
} zip_end;

#define NPY_DICT(descr, fortran, shape) "{'descr': " descr ", 'fortran_order': " fortran ", 'shape': " shape ", }"
#define NPY_F4(shape)                   NPY_DICT("'<f4'", "False", shape)

blob zip_make(const zip_member *m, int n, zip_end end);
/* A .npy of this dictionary, with spaces and a line feed to a multiple of 64, and `data` bytes. */
blob npy_make(const char *dict, size_t data);

const char *zip_put(const char *name, const blob *b); /* into the folder of data_files.h; its path */
bool zip_verify(tg_scope *s, tg_tensor_file *f);      /* all of its tensors */
/* The file cannot be opened or verified, with a message that contains this; NULL: it is good.  Resets s. */
void zip_expect(tg_scope *s, const char *row, const blob *b, const char *contains);
#endif
