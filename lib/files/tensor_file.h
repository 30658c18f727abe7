/* tensor_file.h - files of named tensors, piece by piece.
 *
 * Read: safetensors by any writer, NumPy's .npz and .npy; the first bytes of a file tell which it is, not its name.
 * Written: safetensors, and .npz if the path ends so.  checkpoint.h and state.h stand on this; it is also for tools
 * that work on files larger than memory: nothing here holds more of a file than its table of contents.
 *
 * A .npy holds one tensor, "arr_0", a .npz those that its members are named for, without ".npy"; other members and
 * folders are passed over.  Whatever the order of its bytes and axes, an array is read as little-endian and row-major;
 * one in Fortran order is held in memory meanwhile.  Types that safetensors lacks (texts, dates, complex128) are listed
 * as NumPy spells them, and only their bytes can be read; what cannot be read at all (Python objects, an encrypted or
 * damaged member) is listed with the reason, and spoils no other.  A .npz holds no metadata: what a writer is given is
 * left out. Nor does it hold BF16, which is an error; ml_dtypes' bfloat16 arrives from NumPy as "V2": see
 * tg_tensor_file_reinterpret.
 *
 * safetensors (https://github.com/huggingface/safetensors): the length of a header as 8 bytes, the header (JSON: for
 * each tensor dtype, shape and place; "__metadata__": pairs of strings), the numbers, little-endian and row-major.
 *
 * Files come from strangers.  What is refused, with a message that says where: a header above TG_MOST_HEADER, that is
 * no JSON, has a key twice (however it is escaped), a NUL, fields of a tensor other than the three, numbers that are no
 * plain whole numbers up to 2^48, ranks above TG_MAX_RANK; names that are no valid UTF-8 of 1 to 512 bytes or hold
 * control characters; shapes whose size overflows or does not fit the place; holes, overlaps, bytes after the last
 * tensor; .npz members whose sizes or checksums (CRC-32) do not agree.  Nothing is allocated from a declared size
 * before the file is known to hold it.  An unknown dtype is no error: the bytes of its tensor can be read.
 *
 * Checksums.  A file that tilegrad wrote says so in its metadata by three marks, and must then bear all three:
 *
 *     tilegrad.format    "1"
 *     tilegrad.header    XXH3 (64 bits) of the file's first 8 bytes and its header, in which these 16 digits are 0
 *     tilegrad.tensors   XXH3 (64 bits) of each tensor's bytes, 16 digits each, in the order of their places
 *
 * Digits are lower-case hexadecimal.  The header's is compared when the file is opened, a tensor's when the last of its
 * bytes is read, if they were read in order. */
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
    uint64_t place;      /* of its first byte, in the file's data */
    int tag;             /* the writer's caller's own */
    const char *trouble; /* of a file that is read: why this tensor cannot be; NULL: it can */
} tg_file_tensor;

typedef struct {
    const char *key, *value;
} tg_file_meta;

/* ---- reading ---- */
typedef struct tg_tensor_file {
    const char *path;
    const char *format; /* "safetensors", "npz", "npy" */
    int n, n_meta;
    tg_file_tensor *tensor;          /* [n] in the order of their places */
    tg_file_meta *meta;              /* [n_meta] in the file's order, without the marks */
    bool marked;                     /* tilegrad wrote it, and its checksums are compared */
    struct tg_tensor_reader *reader; /* private */
} tg_tensor_file;

/* Opens a file and reads its table of contents; it is closed when s is reset.  NULL and s failed (the message begins
 * with the path) if it cannot be read, is no regular file, or is none of these. */
tg_tensor_file *tg_tensor_file_open(tg_scope *s, const char *path);
void tg_tensor_file_close(tg_tensor_file *f);                              /* earlier than that.  NULL: nothing */
int tg_tensor_file_find(const tg_tensor_file *f, const char *name);        /* its number, or -1 */
const char *tg_tensor_file_meta(const tg_tensor_file *f, const char *key); /* its value, or NULL */
/* Bytes from .. from + n - 1 of tensor i, little-endian and row-major.  False and s failed: read errors, a wrong
 * checksum. In .npz, compressed members are read in ascending order; from 0 begins again. */
bool tg_tensor_file_read(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to);
/* Elements first .. first + n - 1 of tensor i, converted: any float dtype of 8 bits or more to TG_F32 (F64 is rounded)
 * or TG_BF16, any dtype of whole numbers to TG_I64, TG_I32 (if they fit), and each to itself.  False and s failed as
 * above, or if there is no such conversion. */
bool tg_tensor_file_numbers(tg_scope *s, tg_tensor_file *f, int i, int64_t first, int64_t n, tg_dtype as, void *to);
bool tg_tensor_file_can(const tg_file_tensor *t, tg_dtype as); /* is there such a conversion? */
bool tg_tensor_file_writable(const tg_file_tensor *t); /* does a file have a name for its dtype?  Not for "<U7". */
/* From here on the elements of tensor i are `dtype`, whatever the file says: "BF16" for NumPy's "<V2", which is what it
 * makes of ml_dtypes' bfloat16.  False and s failed unless they have as many bytes. */
bool tg_tensor_file_reinterpret(tg_scope *s, tg_tensor_file *f, int i, const char *dtype);
/* Reads all of tensor i and compares its checksum. */
bool tg_tensor_file_verify(tg_scope *s, tg_tensor_file *f, int i);

/* Tensor `name` of the file at `path`, as a leaf in s; its axes are the file's (PyTorch's, in a file of weights).  F32
 * and BF16, U8, I8, I32 and I64 keep their dtype; other floats (F64 is rounded) become f32, other whole numbers i64.
 * Without elements, and s failed, if there is no such tensor, it has no elements, or is of another dtype. */
tg_tensor *tg_read_tensor(tg_scope *s, const char *path, const char *name);

/* ---- writing: to a file beside it, which takes the place of `path` at the end, at once and for good ---- */
typedef struct tg_tensor_writer tg_tensor_writer;
/* Begins PATH.part, or PATH.part1 ... if another file has that name; what is at `path` stays: nothing, or a regular
 * file, whose mode the new one gets (through a symbolic link, the file it points to; the link stays).  `tensor` is
 * sorted as the file will have it (place and bytes are filled in; wider types first, the order is kept else), and stays
 * the caller's, needed until commit, as names and metadata are.  Another process that writes the same file is an error.
 * NULL and s failed. */
tg_tensor_writer *tg_tensor_file_create(tg_scope *s, const char *path, tg_file_tensor *tensor, int n,
                                        const tg_file_meta *meta, int n_meta);
/* The next bytes: those of tensor[0], then of tensor[1] ...  False and s failed (disk full: PATH.part is removed). */
bool tg_tensor_file_write(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n);
/* All bytes were written: makes them last (fsync of the file, rename, fsync of the folder).  Frees w, also on failure.
 */
bool tg_tensor_file_commit(tg_scope *s, tg_tensor_writer *w);
/* Removes PATH.part and frees w.  So does a reset of the scope that w was made in.  NULL: nothing. */
void tg_tensor_file_abandon(tg_tensor_writer *w);

/* A name in `text` (which is returned) as it can be printed: what a terminal may take for a command is escaped, what
 * does not fit ends in "...". */
typedef struct {
    char text[256];
} tg_name_text;
const char *tg_printable(const char *name, tg_name_text *text);

#ifdef __cplusplus
}
#endif
#endif
