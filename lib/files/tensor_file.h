/* tensor_file.h - files of named tensors, read and written piece by piece.
 *
 * Reads safetensors by any writer and NumPy's .npz and .npy, recognised by their first bytes.  Writes safetensors, or
 * .npz if the path ends in it.  Only the table of contents of a file is held in memory, so files may be larger than
 * memory.  checkpoint.h and state.h are built on this; it is also for tools.
 *
 * NumPy.  A .npy holds one tensor, "arr_0"; a .npz those that its members are named after, without ".npy"; other
 * members and folders are ignored.  Arrays of any byte order and order of axes are read as little-endian and row-major;
 * one in Fortran order is held in memory as it is read.  Types that safetensors lacks (strings, dates, complex128) are
 * listed with NumPy's names, and only their bytes can be read.  What cannot be read at all (Python objects, encrypted
 * or damaged members) is listed with the reason and does not affect the others.  A .npz has no metadata (any that is
 * passed to a writer is dropped) and no BF16 (an error).  NumPy stores ml_dtypes' bfloat16 as "V2"; see
 * tg_tensor_file_reinterpret.
 *
 * safetensors (https://github.com/huggingface/safetensors): the length of the header in 8 bytes; the header, a JSON
 * object with dtype, shape and data_offsets of each tensor and "__metadata__", an object of strings; the data,
 * little-endian and row-major.
 *
 * Files are not trusted.  These are errors, whose message names the place: a header larger than TG_MOST_HEADER or not
 * valid JSON; duplicate keys, however escaped; NUL bytes; unknown fields of a tensor; numbers other than integers from
 * 0 to 2^48; ranks above TG_MAX_RANK; names that are not valid UTF-8 of 1 to 512 bytes, or contain control characters;
 * shapes whose size overflows or differs from the size of the data; gaps, overlaps, bytes after the last tensor; .npz
 * members whose sizes or CRC-32 are wrong.  Memory is allocated only for data that the file is known to contain.  An
 * unknown dtype is not an error: the bytes of the tensor can be read.
 *
 * Checksums.  A file written by tilegrad has three entries in its metadata, and is damaged if one is missing:
 *
 *     tilegrad.format    "1"
 *     tilegrad.header    XXH3 (64 bits) of the first 8 bytes and the header, with zeros for these 16 digits
 *     tilegrad.tensors   XXH3 (64 bits) of each tensor's bytes, 16 digits each, in the order of their places
 *
 * Digits are lower-case hexadecimal.  The header is verified when the file is opened, a tensor when its last byte is
 * read, if its bytes were read in order. */
#ifndef TG_TENSOR_FILE_H
#define TG_TENSOR_FILE_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { TG_MOST_HEADER = 16 << 20 };

typedef struct {
    const char *name;  /* "layer1.0.conv1.weight" */
    const char *dtype; /* as safetensors spells it: "F32" "BF16" "F16" "F64" "I64" "I32" "U8" "I8" "BOOL" ... */
    int rank;
    int64_t dim[TG_MAX_RANK];
    uint64_t bytes;
    uint64_t place;      /* of its first byte, from the start of the data */
    int tag;             /* for the caller of a writer */
    const char *trouble; /* when reading: why this tensor cannot be read; NULL: it can */
} tg_file_tensor;

typedef struct {
    const char *key, *value;
} tg_file_meta;

/* ---- reading ---- */
typedef struct tg_tensor_file {
    const char *path;
    const char *format; /* "safetensors", "npz", "npy" */
    int n, n_meta;
    tg_file_tensor *tensor;          /* [n] ordered by place */
    tg_file_meta *meta;              /* [n_meta] in the file's order, without tilegrad.* */
    bool marked;                     /* written by tilegrad: checksums are verified */
    struct tg_tensor_reader *reader; /* private */
} tg_tensor_file;

/* Opens a file and reads its table of contents; s closes it when it is reset.  NULL, and s fails with a message that
 * begins with the path, if it cannot be read, is not a regular file, or has another format. */
tg_tensor_file *tg_tensor_file_open(tg_scope *s, const char *path);
void tg_tensor_file_close(tg_tensor_file *f);                              /* closes it earlier; ignores NULL */
int tg_tensor_file_find(const tg_tensor_file *f, const char *name);        /* its index, or -1 */
const char *tg_tensor_file_meta(const tg_tensor_file *f, const char *key); /* its value, or NULL */
/* Reads bytes [from, from + n) of tensor i, little-endian and row-major.  False, and s fails, on read errors and wrong
 * checksums.  Compressed members of .npz are read in ascending order; from = 0 starts again. */
bool tg_tensor_file_read(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
/* Reads and converts elements [first, first + n) of tensor i: any floating-point dtype of 8 bits or more to TG_F32 (F64
 * is rounded) or TG_BF16, any integer dtype to TG_I64 or TG_I32 (an error if a value does not fit), and every dtype to
 * itself.  False, and s fails, as above and for other conversions. */
bool tg_tensor_file_numbers(tg_scope *s, tg_tensor_file *f, int i, int64_t first, int64_t n, tg_dtype as, void *to);
bool tg_tensor_file_can(const tg_file_tensor *t, tg_dtype as); /* true if there is such a conversion */
bool tg_tensor_file_writable(const tg_file_tensor *t);         /* true if safetensors has its dtype; not for "<U7" */
/* Treats the elements of tensor i as `dtype` from here on: "BF16" for "<V2", as which NumPy stores ml_dtypes' bfloat16.
 * False, and s fails, unless both have the same size. */
bool tg_tensor_file_reinterpret(tg_scope *s, tg_tensor_file *f, int i, const char *dtype);
/* Reads all of tensor i and verifies its checksum. */
bool tg_tensor_file_verify(tg_scope *s, tg_tensor_file *f, int i);

/* Reads tensor `name` of the file at `path` into a leaf of s, with the file's order of axes (in files of weights,
 * PyTorch's).  F32, BF16, U8, I8, I32 and I64 keep their dtype; other floats become f32 (F64 is rounded), other
 * integers i64.  Returns a tensor without elements, and s fails, if there is no such tensor, it is empty, or has
 * another dtype. */
tg_tensor *tg_read_tensor(tg_scope *s, const char *path, const char *name);

/* ---- writing: to a temporary file, which replaces `path` atomically and durably at the end ---- */
typedef struct tg_tensor_writer tg_tensor_writer;
/* Creates PATH.part (PATH.part1 ... if that exists).  An existing file at `path` must be a regular file, or a symbolic
 * link to one; it is replaced by commit only, keeps its mode, and a link stays a link.  Sorts `tensor` into the order
 * of the file (wider types first, otherwise stable) and fills in place and bytes.  tensor, names and metadata remain
 * the caller's and must stay valid until commit.  NULL, and s fails; also if another process is writing the same file.
 */
tg_tensor_writer *tg_tensor_file_create(tg_scope *s, const char *path, tg_file_tensor *tensor, int n,
                                        const tg_file_meta *meta, int n_meta);
/* Appends bytes: those of tensor[0], then of tensor[1] ...  False, and s fails (on a full disk PATH.part is removed).
 */
bool tg_tensor_file_write(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n);
/* Replaces `path` after all bytes were written: fsync of the file, rename, fsync of the folder.  Frees w in any case.
 */
bool tg_tensor_file_commit(tg_scope *s, tg_tensor_writer *w);
/* Removes PATH.part and frees w, as a reset of its scope does; ignores NULL. */
void tg_tensor_file_abandon(tg_tensor_writer *w);

/* Writes a name into the buffer as it may be printed, and returns its text: characters that a terminal might interpret
 * are escaped; a name that does not fit ends in "...". */
typedef struct {
    char text[256];
} tg_name_text;
const char *tg_printable(const char *name, tg_name_text *text);

#ifdef __cplusplus
}
#endif
#endif
