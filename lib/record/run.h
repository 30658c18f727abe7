/* run.h - the inside of scopes that layers above use: optimizers, checkpointing, tests. */
#ifndef TG_RUN_H
#define TG_RUN_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Which values backward reads of a cheap call's result are made again instead of kept: none; those that are worth it
 * (ARCHITECTURE.md); all that can be, for tests. */
typedef enum { TG_RECOMPUTE_NONE, TG_RECOMPUTE_LARGE, TG_RECOMPUTE_ALL } tg_recompute_mode;

typedef struct {
    bool fuse;                   /* rewriting rules are used; TG_FUSE=0 switches them off */
    bool eager;                  /* each call runs as it is recorded; TG_EAGER=1 */
    tg_recompute_mode recompute; /* LARGE; TG_RECOMPUTE=0 is NONE, TG_RECOMPUTE=all is ALL */
    bool epilogues; /* calls work on what others make while it is in the cache; TG_EPILOGUE=0: afterwards */
    /* Told of each call of a run, with its kernel, before the first is executed; if it returns false for one, the run
     * fails and nothing has changed.  NULL: nobody. */
    bool (*observe)(void *context, const tg_call *c);
    void *context;
} tg_options;
tg_options *tg_tree_options(tg_scope *s); /* of the tree of s; the environment is read at tg_open */

/* Runs what is pending in the tree of s.  middle: the program goes on with the tensors it holds, so what user code made
 * is kept; otherwise (the end of a step) it may be fused away, and is made again if somebody asks. */
void tg_run(tg_scope *s, bool middle);

/* t is to be read after the run that makes it, whatever the run. */
void tg_hold(tg_tensor *t);

/* Backward from now on makes a gradient for a leaf, or none (freezing). */
void tg_want_grad(tg_tensor *leaf, bool wanted);

/* The gradient of a leaf as the input of an update: afterwards the leaf has none, and its memory is given back after
 * the run.  NULL if there is none. */
tg_tensor *tg_take_grad(tg_scope *s, tg_tensor *leaf);

/* True if s has not failed and what lives in `home`, a scope, belongs to its tree; else fails with "update: the
 * optimizer belongs to another tree of scopes".  home NULL: the thing is NULL, which is said, too. */
bool tg_wants_home(tg_scope *s, const char *who, const char *what, const tg_scope *home);
bool tg_wants_tensor(tg_scope *s, const char *who, const tg_tensor *t); /* the same; one with elements */
struct tg_state;
/* the same, of a save or load (state.h) */
bool tg_state_home(struct tg_state *to, const char *what, const tg_scope *home);

/* Between the two, messages about calls name this public function instead of their operators:
 *
 *     const char *was = tg_call_as(s, "transpose");
 *     return tg_called_as(s, was, tg_apply(s, &tg_permute_op, &x, &order));
 *
 * Of functions that call each other the outermost is named. */
const char *tg_call_as(tg_scope *s, const char *name);
tg_tensor *tg_called_as(tg_scope *s, const char *was, tg_tensor *result); /* returns result */

/* Calls of s can read t; otherwise tg_apply says why not. */
bool tg_can_read(const tg_scope *s, const tg_tensor *t);

/* Between the two, backward keeps nothing: it makes the calls again (tg_checkpoint).  They do not nest. */
void tg_segment_begin(tg_scope *s);
void tg_segment_end(tg_scope *s);

#ifdef __cplusplus
}
#endif
#endif
