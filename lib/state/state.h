/* state.h - what a checkpoint holds: things with a state, and saving and loading any list of them.
 *
 * checkpoint.h has the simple case, a model and its optimizer.  Here is the general one.  A *stateful* thing names its
 * tensors and numbers, once, for saving and loading alike:
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
 * On disk (tensor_file.h, safetensors) a tensor's name is the prefix and its own; the model has none, so that PyTorch
 * finds what it wants.  Numbers and texts are metadata, by the same names.  Tensors are FP32 whatever tg_optimize did
 * (of a bf16 weight its master; see master.h), in PyTorch's layouts; whole numbers stay what they are.
 *
 * Saving runs what is pending, then writes PATH.part, which takes the place of `path` only when all of it lasts: `path`
 * is the old file or the new one at every moment, also if the process is killed.  It takes 4 MiB.
 *
 * Loading is strict, and happens or does not: everything is read into memory of its own and checked first (checksums
 * too), then takes its place at once.  What is missing, unexpected (in the parts of the file that are asked for) or of
 * another shape is named, all of it, in one message. */
#ifndef TG_STATE_H
#define TG_STATE_H
#include <stdio.h>
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_state tg_state; /* a save or a load under way */

typedef struct {
    const char *prefix; /* "optim/", "mine/": ends in '/'.  "": a model */
    void *what;
    void (*visit)(tg_state *to, void *what);
    /* May be NULL.  After its numbers took their loaded values, before any tensor did: fails s if they are impossible
     * together; then all numbers are as before, and nothing was loaded. */
    void (*check)(tg_scope *s, void *what);
    /* May be NULL.  After a load; cannot fail. */
    void (*loaded)(void *what);
} tg_stateful;

/* ---- for visit.  Names are unique within a thing, and live as long as it. ---- */
/* A leaf.  On disk its last axis stands at place `axis` (PyTorch's order: 1 for convolutions' weights); -1: last.
 * f32, bf16 and split weights take any float dtype from a file, tensors of whole numbers any of whole numbers. */
void tg_state_tensor(tg_state *to, const char *name, tg_tensor *t, int axis);
/* A leaf that only counts, on which no result depends (num_batches_tracked): it is saved, and loaded if the file has
 * it; a file that lacks it, or has it in another shape or dtype, leaves it as it is. */
void tg_state_counter(tg_state *to, const char *name, tg_tensor *t);
/* A leaf that may not be there (yet): f32, made in `scope` with the shape of `like` if the file has it, else dropped.
 */
void tg_state_made(tg_state *to, const char *name, tg_tensor **t, tg_scope *scope, const tg_tensor *like, int axis);
/* Numbers, kept exactly; a file's are refused outside of least .. most. */
void tg_state_int(tg_state *to, const char *name, int64_t *value, int64_t least, int64_t most);
void tg_state_u64(tg_state *to, const char *name, uint64_t *value);
void tg_state_float(tg_state *to, const char *name, float *value, double least, double most);
void tg_state_double(tg_state *to, const char *name, double *value, double least, double most);
void tg_state_flag(tg_state *to, const char *name, bool *value);
void tg_state_choice(tg_state *to, const char *name, int *value, const char *const *choices); /* ends with NULL */
/* A text that the file must have, too: "sgd".  And one that is only written: how it was made. */
/* In which version of its format the thing writes, 1 .. now: saved as `now`, and loaded as what the file has.  In a
 * file that has none, *version becomes 1 if tilegrad wrote it, before there were versions, else `now`.  `check` is the
 * place to bring the numbers of an older version up to date. */
void tg_state_version(tg_state *to, const char *name, int64_t *version, int64_t now);
void tg_state_same(tg_state *to, const char *name, const char *value);
void tg_state_note(tg_state *to, const char *name, const char *value);

/* The thing is not there: fails the save or load, with "save: optim/: the optimizer is NULL". */
void tg_state_missing(tg_state *to, const char *what);

/* The random numbers of the tree of s: seed and counter.  Prefix "random/". */
tg_stateful tg_random_state(tg_scope *s);

/* ---- saving and loading ---- */
void tg_save_all(tg_scope *s, const char *path, const tg_stateful *things, int n);
void tg_load_all(tg_scope *s, const char *path, const tg_stateful *things, int n);

/* What is in both, by name and shape, and nothing else: for another head on a trained body.  Wrong checksums, damaged
 * files fail as ever.  The report, in s, names what was not loaded; NULL once s has failed. */
typedef struct {
    int loaded, n_missing, n_unexpected, n_misshapen;
    const char *const *missing;    /* names that the file lacks */
    const char *const *unexpected; /* names that only the file has */
    const char *const *misshapen;  /* "fc.weight: [10, 512] in the file, [100, 512] here" */
} tg_load_report;
const tg_load_report *tg_load_matching(tg_scope *s, const char *path, const tg_stateful *things, int n);
void tg_print_load_report(const tg_load_report *report, FILE *to); /* a line a tensor that was not loaded */

#ifdef __cplusplus
}
#endif
#endif
