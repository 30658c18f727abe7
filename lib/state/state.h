/* state.h - checkpoints of any list of objects.
 *
 * checkpoint.h has the simple case, a model and its optimizer.  In general an object names its tensors and numbers in
 * one function, which serves saving and loading alike:
 *
 *     typedef struct { tg_tensor *average; int64_t seen; } my_average;
 *     static void visit(tg_state *to, void *what)
 *     {
 *         my_average *a = what;
 *         tg_state_tensor(to, "average", a->average, -1);
 *         tg_state_int(to, "seen", &a->seen, 0, INT64_MAX);
 *     }
 *     const tg_stateful all[] = { tg_module_state(net), tg_optim_state(opt), { "mine/", &a, visit } };
 *     tg_save_all(s, "run.safetensors", all, 3);
 *
 * In the file (safetensors, see tensor_file.h) a tensor is named by the object's prefix and its own name; the model's
 * prefix is empty, so that PyTorch finds the names it expects.  Numbers and strings are metadata, named the same way.
 * Tensors are FP32 whatever tg_optimize did (for a bf16 weight its master; see master.h), in PyTorch's layouts;
 * integers keep their type.
 *
 * Saving runs pending calls and writes PATH.part, which replaces `path` once it is on disk: at every moment, even if
 * the process is killed, `path` is the old file or the new one.  It uses 4 MiB of memory.
 *
 * Loading is strict and atomic: the file is read into separate memory and checked, checksums included, before anything
 * changes.  One message lists everything that is missing, unexpected (under the prefixes of the objects) or has the
 * wrong shape. */
#ifndef TG_STATE_H
#define TG_STATE_H
#include <stdio.h>
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_state tg_state; /* a save or load in progress */

typedef struct {
    const char *prefix; /* "optim/", "mine/": ends in '/'; "" for a model */
    void *what;
    void (*visit)(tg_state *to, void *what);
    /* May be NULL.  Called when the numbers, but not yet the tensors, have their loaded values; fails s if they are
     * inconsistent, which restores the numbers and cancels the load. */
    void (*check)(tg_scope *s, void *what);
    /* May be NULL.  Called after a successful load. */
    void (*loaded)(void *what);
} tg_stateful;

/* ---- for visit; names are unique within an object and stay valid as long as it ---- */
/* A leaf.  In the file its last axis is at place `axis`, for PyTorch's order (1 for the weights of convolutions); -1:
 * last.  f32, bf16 and split weights load any floating-point dtype, integer tensors any integer dtype. */
void tg_state_tensor(tg_state *to, const char *name, tg_tensor *t, int axis);
/* A leaf on which no result depends (num_batches_tracked): saved, but left unchanged if the file does not have it or
 * has it in another shape or dtype. */
void tg_state_counter(tg_state *to, const char *name, tg_tensor *t);
/* An optional leaf, f32: if the file has it, it is created in `scope` with the shape of `like`; else *t becomes NULL.
 */
void tg_state_made(tg_state *to, const char *name, tg_tensor **t, tg_scope *scope, const tg_tensor *like, int axis);
/* Numbers, saved exactly; a value outside of [least, most] in a file is an error. */
void tg_state_int(tg_state *to, const char *name, int64_t *value, int64_t least, int64_t most);
void tg_state_u64(tg_state *to, const char *name, uint64_t *value);
void tg_state_float(tg_state *to, const char *name, float *value, double least, double most);
void tg_state_double(tg_state *to, const char *name, double *value, double least, double most);
void tg_state_flag(tg_state *to, const char *name, bool *value);
void tg_state_choice(tg_state *to, const char *name, int *value, const char *const *choices); /* NULL-terminated */
/* The version of the object's format, 1 to `now`: saved as `now`, loaded as in the file.  If the file has none,
 * *version becomes 1 if tilegrad wrote it, which did not always write versions, else `now`.  `check` is the place for
 * updating the numbers of an older version. */
void tg_state_version(tg_state *to, const char *name, int64_t *version, int64_t now);
void tg_state_same(tg_state *to, const char *name, const char *value); /* must be equal in the file: "sgd" */
void tg_state_note(tg_state *to, const char *name, const char *value); /* is only saved: how the file was made */

/* Fails the save or load because the object is NULL: "save: optim/: the optimizer is NULL". */
void tg_state_missing(tg_state *to, const char *what);

/* Seed and counter of the random numbers of the tree of s.  The prefix is "random/". */
tg_stateful tg_random_state(tg_scope *s);

/* ---- saving and loading ---- */
void tg_save_all(tg_scope *s, const char *path, const tg_stateful *things, int n);
void tg_load_all(tg_scope *s, const char *path, const tg_stateful *things, int n);

/* Loads only what the file and the objects both have, with the same name and shape: for a new head on a trained body.
 * Damaged files and wrong checksums are errors as always.  Returns a report in s of what was not loaded; NULL if s has
 * failed. */
typedef struct {
    int loaded, n_missing, n_unexpected, n_misshapen;
    const char *const *missing;    /* not in the file */
    const char *const *unexpected; /* only in the file */
    const char *const *misshapen;  /* "fc.weight: [10, 512] in the file, [100, 512] here" */
} tg_load_report;
const tg_load_report *tg_load_matching(tg_scope *s, const char *path, const tg_stateful *things, int n);
void tg_print_load_report(const tg_load_report *report, FILE *to); /* a line for each tensor that was not loaded */

#ifdef __cplusplus
}
#endif
#endif
