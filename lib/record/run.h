/* run.h - the core's internal interface for the layers above it: optimizers, checkpointing, tests. */
#ifndef TG_RUN_H
#define TG_RUN_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Rematerialisation: which cheap activations are recomputed just before backward reads them instead of kept.  None;
 * those for which it pays (ARCHITECTURE.md); all that can be, for tests. */
typedef enum { TG_RECOMPUTE_NONE, TG_RECOMPUTE_LARGE, TG_RECOMPUTE_ALL } tg_recompute_mode;

typedef struct {
    bool fuse;                   /* applies rewrite rules; TG_FUSE=0 disables them */
    bool eager;                  /* runs each call as it is recorded; TG_EAGER=1 */
    tg_recompute_mode recompute; /* LARGE by default; TG_RECOMPUTE=0 sets NONE, TG_RECOMPUTE=all sets ALL */
    bool epilogues; /* runs calls as epilogues, on results still in the cache; TG_EPILOGUE=0: runs them afterwards */
    /* Called for each call of a run, with its kernel chosen, before the first one is executed.  If it returns false,
     * the run fails and nothing has changed.  NULL: not called. */
    bool (*observe)(void *context, const tg_call *c);
    void *context;
} tg_options;
tg_options *tg_tree_options(tg_scope *s); /* the options of the tree of s; tg_open sets them from the environment */

/* Runs the pending calls of the tree of s.  middle: the program continues with the tensors it holds, so tensors created
 * by user code are kept.  Otherwise (the end of a step) they may be fused away, and are recomputed if they are read. */
void tg_run(tg_scope *s, bool middle);

/* Keeps t's value after the run that computes it: t will be read. */
void tg_hold(tg_tensor *t);

/* Sets whether backward computes a gradient for a leaf; false freezes it. */
void tg_want_grad(tg_tensor *leaf, bool wanted);

/* Takes the gradient of a leaf as the input of an update: the leaf no longer has one, and its memory is released after
 * the run.  NULL if there is none. */
tg_tensor *tg_take_grad(tg_scope *s, tg_tensor *leaf);

/* True if s has not failed and `home`, the scope of an object, is in its tree; otherwise fails with "update: the
 * optimizer belongs to another tree of scopes".  home NULL: fails with "update: the optimizer is NULL". */
bool tg_wants_home(tg_scope *s, const char *who, const char *what, const tg_scope *home);
bool tg_wants_tensor(tg_scope *s, const char *who, const tg_tensor *t); /* the same, for a tensor with elements */
struct tg_state;
/* the same, for a save or a load (state.h) */
bool tg_state_home(struct tg_state *to, const char *what, const tg_scope *home);

/* Between these two, messages about calls name the public function instead of its operators:
 *
 *     const char *was = tg_call_as(s, "transpose");
 *     return tg_called_as(s, was, tg_apply(s, &tg_permute_op, &x, &order));
 *
 * If they nest, the outermost function is named. */
const char *tg_call_as(tg_scope *s, const char *name);
tg_tensor *tg_called_as(tg_scope *s, const char *was, tg_tensor *result); /* returns result */

/* Whether calls in s can read t; if not, tg_apply fails with the reason. */
bool tg_can_read(const tg_scope *s, const tg_tensor *t);

/* Calls recorded between these two save nothing for backward, which recomputes them (tg_checkpoint).  Segments do not
 * nest. */
void tg_segment_begin(tg_scope *s);
void tg_segment_end(tg_scope *s);

#ifdef __cplusplus
}
#endif
#endif
