/* ckpt.h - what the subcommands of `tilegrad ckpt` share: a run with its error and progress, numbers piece by piece,
 * writing a file from others, words for sizes and shapes. */
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
    const char *name;     /* "tilegrad ckpt diff", before messages */
    tg_scope *root;       /* has the first error */
    status_line line;     /* on stderr, once it takes longer than two seconds */
    uint64_t total, done; /* bytes to read; read so far */
    int left_out;         /* tensors that could not be read or written: the status is EXIT_FAILED */
    double began;
} ckpt;

ckpt ckpt_begin(const char *name);
/* `bytes` more are read; false if root has failed: it does so after a signal (signals.h). */
bool ckpt_step(ckpt *c, uint64_t bytes);
/* Tells an error, if there is one, and gives everything back.  `status`, or EXIT_FAILED, or 128 more than a signal. */
int ckpt_end(ckpt *c, int status);

/* ---- numbers ---- */
typedef enum { CKPT_FLOATS, CKPT_WHOLE, CKPT_OTHER } ckpt_kind; /* CKPT_OTHER: bytes; U64, too */
enum { CKPT_PIECE = 1 << 16 };                                  /* elements */

typedef struct {
    ckpt_kind kind;
    int64_t n;
    double floats[CKPT_PIECE]; /* one of these two, by kind */
    int64_t whole[CKPT_PIECE];
    float narrow[CKPT_PIECE];
} ckpt_numbers;

ckpt_kind ckpt_kind_of(const tg_file_tensor *t);
int64_t ckpt_count(const tg_file_tensor *t); /* of its elements */
/* Elements first .. first + n - 1 of tensor i, whose kind is not CKPT_OTHER; n <= CKPT_PIECE. */
bool ckpt_read(ckpt *c, tg_tensor_file *f, int i, int64_t first, int64_t n, ckpt_numbers *to);

/* ---- writing ---- */
typedef struct {
    const char *path;
    tg_file_tensor *tensor; /* [n] */
    int n, n_meta;
    const tg_file_meta *meta;
    /* Bytes from .. from + n - 1 of t: a multiple of 8 but for its end. */
    bool (*produce)(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to);
    void *context;
} ckpt_output;
enum { CKPT_BYTES = 8 * CKPT_PIECE }; /* n is at most that */

bool ckpt_write(ckpt *c, const ckpt_output *o);
/* A produce: the bytes of tensor t->tag of the tg_tensor_file `context`. */
bool ckpt_produce_copy(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to);
/* The tensors that `keep` (NULL: all) wants, in memory of root, with their numbers as tags.  NULL: root has failed.
 * Those that cannot be read or written are left out and named on stderr; if no other is there, root fails. */
tg_file_tensor *ckpt_select(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *name), int *n);
/* And the metadata. */
tg_file_meta *ckpt_select_meta(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *key), int *n);
/* A name of the model: all but "optim/lr" and the like.  Metadata of the model alone: these, and how it was made. */
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
/* Text of any length; what a terminal may take for a command is escaped. */
void ckpt_print_text(FILE *to, const char *text);
#endif
