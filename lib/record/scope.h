/* scope.h - scopes: ownership of memory, modes, errors.
 *
 * A scope owns everything created in it, says whether gradients are recorded and whether layers behave as in training,
 * and keeps the first error.  Scopes form a tree, whose root tg_open creates.  A tree and everything in it may be used
 * by one thread at a time.
 *
 *     tg_scope *root = tg_open();
 *     tg_scope *step = tg_train(root);
 *     for (...; tg_reset(step)) { ... }        // frees what the step created; its memory is reused by the next
 *     if (!tg_ok(root)) fprintf(stderr, "%s\n", tg_message(root));
 *     tg_close(root);
 *
 * Scopes of any mode nest in each other.  A call may read what its own scope or an ancestor created, but not what a
 * descendant created, which is freed first.  To train only part of a network while the batch norms of the rest keep
 * using their running statistics, run the rest in an evaluation scope with gradients, and put a training scope inside
 * it:
 *
 *     tg_scope *frozen = tg_push_modes(root, (tg_modes){ .grad = true });
 *     for (...; tg_reset(frozen)) {
 *         tg_tensor *features = tg_forward(frozen, body, x);        // running statistics, unchanged
 *         tg_scope  *step = tg_train(frozen);                       // freed when `frozen` is reset
 *         tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, head, features), y);
 *         tg_backward(step, loss);                                  // gradients for body's weights, too
 *         tg_update(step, opt);
 *     }
 *
 * Errors.  The first error is kept, with the name of the operator or file, what was got and what was wanted.  From then
 * on every function that is given this scope or a descendant does nothing: it returns a tensor without elements, NaN or
 * 0, or NULL.  So a program can be written as plain formulas and check once.  tg_reset and tg_pop pass the error on to
 * the parent.  A NULL scope counts as failed.  The library never prints, exits or aborts (with TG_ABORT=1 in the
 * environment tg_fail aborts, for debuggers). */
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
    bool grad;     /* calls are recorded for tg_backward */
    bool train;    /* batch norm uses and tracks the batch's statistics; dropout drops */
    bool autocast; /* see tg_autocast */
} tg_modes;

tg_scope *tg_open(void);                                   /* a root, without grad or train; never NULL */
tg_scope *tg_push(tg_scope *parent);                       /* a child for evaluation: neither grad nor train */
tg_scope *tg_train(tg_scope *parent);                      /* a child for training: both.  These two inherit autocast */
tg_scope *tg_push_modes(tg_scope *parent, tg_modes modes); /* a child with any combination */
tg_modes tg_scope_modes(const tg_scope *s);
/* Switches autocast on or off for the calls of s that follow, and returns the previous setting.  Autocast is for models
 * that were not passed to tg_optimize: convolutions, linear and matmul cast their f32 inputs to bf16 (each weight once
 * a step, however often it is used), losses cast theirs to f32, concat casts to f32 if one input is f32; everything
 * else computes in the dtype of its inputs.  The lists are those of PyTorch's CPU autocast. */
bool tg_autocast(tg_scope *s, bool on);

/* Pops the children of s, runs pending calls of s with lasting effects (writes to parameters, gradients), frees
 * everything created in s and passes its error on to the parent.  Memory is kept for the next step. */
void tg_reset(tg_scope *s);
void tg_pop(tg_scope *s);      /* tg_reset, then frees s itself; ignores NULL */
void tg_close(tg_scope *root); /* the same for a root: releases all its memory */

bool tg_ok(const tg_scope *s); /* neither s nor an ancestor has failed */
/* The first error, or "": one line of valid UTF-8.  Characters that a terminal might interpret, in a file name for
 * example, are escaped (\u001b, \u202e, \xff). */
const char *tg_message(const tg_scope *s);
/* The errno of the first error if a system call failed: EACCES for a file that may not be read, ENOSPC for a full disk,
 * ENOMEM for lack of memory.  0: no error, or one of another kind, such as a damaged file. */
int tg_system_error(const tg_scope *s);
void tg_fail(tg_scope *s, const char *format, ...) TG_PRINTF(2, 3); /* ignored if s has failed already */
/* tg_fail for a failed system call; tg_system_error then returns `error`, an errno. */
void tg_fail_system(tg_scope *s, int error, const char *format, ...) TG_PRINTF(3, 4);
void tg_clear(tg_scope *s); /* clears the error of s: the only way to recover from one */

/* Zeroed memory, freed when s is reset; NULL if s has failed or memory is short. */
void *tg_alloc(tg_scope *s, size_t bytes);
/* A copy of a string in s; NULL as above. */
const char *tg_strdup(tg_scope *s, const char *text);
/* Calls release(what) when s is reset or popped, in reverse order of registration; `what` may be NULL.  Returns true if
 * it was registered; otherwise (s has failed, no memory) release(what) is called immediately. */
bool tg_defer(tg_scope *s, void (*release)(void *), void *what);

/* Seeds the random numbers of the whole tree (initialisation, dropout); the default seed is 0.  They are counter-based
 * (Philox 4x32-10) and drawn when a call is recorded, so they do not depend on the number of threads. */
void tg_seed(tg_scope *s, uint64_t seed);

/* Counters of the tree of s. */
typedef struct {
    uint64_t calls, runs;              /* calls executed; runs of the record */
    uint64_t again;                    /* calls executed again because their result had been freed */
    double record_ms, plan_ms, run_ms; /* time spent recording; rewriting and planning; executing kernels */
    uint64_t bytes, peak_bytes;        /* tensor memory in use: now, and at most */
} tg_stats;
tg_stats tg_statistics(const tg_scope *s);

#ifdef __cplusplus
}
#endif
#endif
