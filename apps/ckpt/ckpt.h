/* ckpt.h - shared by the subcommands of `tilegrad ckpt`: errors and progress, reading elements in pieces, writing files
 * from other files, formatting sizes and shapes. */
#ifndef TG_APPS_CKPT_H
#define TG_APPS_CKPT_H
#include "command.h"
#include "status_line.h"
#include <tilegrad/tensor_file.h>

/* The subcommands; see command.h. */
int ckpt_inspect(int argc, char **argv);
int ckpt_verify(int argc, char **argv);
int ckpt_diff(int argc, char **argv);
int ckpt_convert(int argc, char **argv);
int ckpt_average(int argc, char **argv);
int ckpt_strip(int argc, char **argv);
int ckpt_rename(int argc, char **argv);
int ckpt_meta(int argc, char **argv);

/* ---- a run ---- */
typedef struct {
    const char *name;     /* "tilegrad ckpt diff", the prefix of messages */
    tg_scope *root;       /* holds the first error */
    status_line line;     /* on stderr, after two seconds */
    uint64_t total, done; /* bytes to read; read so far */
    int left_out;         /* tensors that could not be read or written; if any, the status is EXIT_FAILED */
    double began;
} ckpt;

ckpt ckpt_begin(const char *name);
/* Records that `bytes` more were read; false if root has failed, as it does after a signal (signals.h). */
bool ckpt_step(ckpt *c, uint64_t bytes);
/* Reports an error, if there is one, and frees everything.  Returns `status`, EXIT_FAILED, or 128 plus a signal. */
int ckpt_end(ckpt *c, int status);

/* ---- numbers ---- */
typedef enum { CKPT_FLOATS, CKPT_WHOLE, CKPT_OTHER } ckpt_kind; /* CKPT_OTHER: bytes; U64, too */
enum { CKPT_PIECE = 1 << 16 };                                  /* elements */

typedef struct {
    ckpt_kind kind;
    int64_t n;
    double floats[CKPT_PIECE]; /* one of the two, by kind */
    int64_t whole[CKPT_PIECE];
    float narrow[CKPT_PIECE];
} ckpt_numbers;

ckpt_kind ckpt_kind_of(const tg_file_tensor *t);
int64_t ckpt_count(const tg_file_tensor *t); /* of elements */
/* Reads elements first to first + n - 1 of tensor i, whose kind isn't CKPT_OTHER; n <= CKPT_PIECE. */
bool ckpt_read(ckpt *c, tg_tensor_file *f, int i, int64_t first, int64_t n, ckpt_numbers *to);

/* ---- writing ---- */
typedef struct {
    const char *path;
    tg_file_tensor *tensor; /* [n] */
    int n, n_meta;
    const tg_file_meta *meta;
    /* Produces bytes from to from + n - 1 of t; n is a multiple of 8 except at its end. */
    bool (*produce)(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to);
    void *context;
} ckpt_output;
enum { CKPT_BYTES = 8 * CKPT_PIECE }; /* the largest n */

bool ckpt_write(ckpt *c, const ckpt_output *o);
/* A `produce` that copies tensor t->tag of the tg_tensor_file `context`. */
bool ckpt_produce_copy(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to);
/* The tensors that `keep` accepts (NULL: all), allocated in root, tagged with their indices.  NULL: root has failed.
 * Tensors that can't be read or written are left out and reported on stderr; if no others remain, root fails. */
tg_file_tensor *ckpt_select(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *name), int *n);
/* Likewise for metadata. */
tg_file_meta *ckpt_select_meta(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *key), int *n);
/* Names of the model: all but "optim/lr" and the like.  Its metadata: the same, and its provenance made/... */
bool ckpt_of_model(const char *name);
bool ckpt_meta_of_model(const char *key);

/* ---- words ---- */
typedef struct {
    char text[160];
} ckpt_text;
const char *ckpt_size(uint64_t bytes, ckpt_text *to);           /* "600 B", "241.0 KiB" */
const char *ckpt_whole(uint64_t number, ckpt_text *to);         /* "61,706" */
const char *ckpt_tensors(int n, ckpt_text *to);                 /* "1 tensor", "1,024 tensors" */
const char *ckpt_shape(const tg_file_tensor *t, ckpt_text *to); /* "[6, 1, 5, 5]" */
/* Prints text of any length, with control sequences escaped. */
void ckpt_print_text(FILE *to, const char *text);
#endif
