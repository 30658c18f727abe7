/* scope.h - who owns the memory, what is wanted, what went wrong.
 *
 * A scope does three jobs.  It owns everything that is made in it; it says whether gradients and training behaviour
 * are wanted; and it keeps the first error.  Scopes form a tree with tg_open's at the root.  A tree, with all that is
 * made in it, belongs to one thread at a time.
 *
 *     tg_scope *root = tg_open();
 *     tg_scope *step = tg_train(root);
 *     for (...; tg_reset(step)) { ... }        // what a step made dies here, at once; its memory is used again
 *     if (!tg_ok(root)) fprintf(stderr, "%s\n", tg_message(root));
 *     tg_close(root);
 *
 * Modes belong to a scope, and scopes nest whatever their modes are.  A call may read what its own scope made and what
 * the scopes above made, never what a scope below made, which ends first.  So a part of a network whose batch norms are
 * to stay at rest in a training step (running statistics, which do not change, but gradients) runs in an evaluation
 * scope with gradients, and what trains runs in a training scope inside of it:
 *
 *     tg_scope *rest = tg_push_modes(root, (tg_modes){ .grad = true });
 *     for (...; tg_reset(rest)) {
 *         tg_tensor *features = tg_forward(rest, body, x);          // batch norms at rest
 *         tg_scope  *step = tg_train(rest);                         // gone when rest is reset
 *         tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, head, features), y);
 *         tg_backward(step, loss);                                  // body's gradients, too
 *         tg_update(step, opt);
 *     }
 *
 * Errors.  The first failure is kept, with the name of the operator or file, what was got and what was wanted.  From
 * then on every function given this scope, or a descendant of it, does nothing: tensors come back without elements,
 * numbers as NaN or 0, pointers as NULL.  So a program reads as mathematics and checks once.  tg_reset and tg_pop hand
 * the error to the parent.  A scope that is NULL counts as one that has failed.  The library never prints, exits or
 * aborts (TG_ABORT=1 in the environment makes tg_fail abort, for a debugger). */
#ifndef TG_SCOPE_H
#define TG_SCOPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_scope tg_scope;

#if defined __GNUC__
#define TG_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TG_PRINTF(text, first)
#endif

typedef struct {
    bool grad;     /* calls are taped: tg_backward can walk them */
    bool train;    /* batch norm takes the batch's statistics and tracks them, dropout drops */
    bool autocast; /* see tg_autocast */
} tg_modes;

tg_scope *tg_open(void);              /* a root: neither grad nor train.  Never NULL */
tg_scope *tg_push(tg_scope *parent);  /* a child: neither grad nor train (evaluation) */
tg_scope *tg_train(tg_scope *parent); /* a child: both.  These two take autocast from their parent */
tg_scope *tg_push_modes(tg_scope *parent, tg_modes modes); /* a child: any combination */
tg_modes tg_scope_modes(const tg_scope *s);
/* Switches autocast on or off in s from here on, and returns what it was, so that it can be set back.  Autocast is for
 * models that tg_optimize has not changed: convolutions, linear and matmul cast their f32 inputs to bf16 (a weight once
 * in a step, however often it is used), losses cast theirs to f32, concat casts to f32 if one input is f32; everything
 * else computes in the dtype that comes.  The lists are those of PyTorch's CPU autocast. */
bool tg_autocast(tg_scope *s, bool on);

/* Pops the children of s, runs what is pending in s and lasts (writes to parameters, gradients), then frees all that
 * was made in s and hands its error to the parent.  Memory blocks are kept for the next step. */
void tg_reset(tg_scope *s);
void tg_pop(tg_scope *s);      /* tg_reset, then s itself is gone.  NULL: nothing */
void tg_close(tg_scope *root); /* the same for a root: gives everything back */

bool tg_ok(const tg_scope *s); /* neither s nor an ancestor has failed */
/* The first error, or "": one line of valid UTF-8.  What a terminal might take for a command, in a file's name for
 * example, is escaped (\u001b, \u202e, \xff). */
const char *tg_message(const tg_scope *s);
/* The first error's errno, if it was the system that refused: a file that may not be read (EACCES), a full disk
 * (ENOSPC), memory (ENOMEM).  0: no error, or another, such as a damaged file. */
int tg_system_error(const tg_scope *s);
void tg_fail(tg_scope *s, const char *format, ...) TG_PRINTF(2, 3); /* keeps the first failure only */
/* As tg_fail, where the system refused: `error` is the errno that tg_system_error returns. */
void tg_fail_system(tg_scope *s, int error, const char *format, ...) TG_PRINTF(3, 4);
void tg_clear(tg_scope *s); /* forgets the error of s: the only catch */

/* Zeroed memory that lives as long as what is made in s; NULL if s has failed or there is no memory. */
void *tg_alloc(tg_scope *s, size_t bytes);
/* A copy of a string in s; NULL as above. */
const char *tg_strdup(tg_scope *s, const char *text);
/* Calls release(what) when s is reset or popped, last registered first; `what` may be NULL.  If that cannot be
 * arranged, or s has failed, release(what) is called at once.  Returns whether it was arranged. */
bool tg_defer(tg_scope *s, void (*release)(void *), void *what);

/* Seeds the random numbers of the whole tree (initialisation, dropout); the default seed is 0.  They are counter-based
 * (Philox 4x32-10): drawn when a call is recorded, the same whatever the number of threads. */
void tg_seed(tg_scope *s, uint64_t seed);

/* What the tree of s has done so far. */
typedef struct {
    uint64_t calls, runs;              /* calls executed, runs of the record */
    uint64_t again;                    /* calls made again because their result had been given back */
    double record_ms, plan_ms, run_ms; /* spent recording; rewriting, ordering and planning; executing kernels */
    uint64_t bytes, peak_bytes;        /* tensor memory in use now; the most there was */
} tg_stats;
tg_stats tg_statistics(const tg_scope *s);

#ifdef __cplusplus
}
#endif
#endif
