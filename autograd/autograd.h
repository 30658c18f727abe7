/* autograd.h - gradients, by walking the record backwards. */
#ifndef TG_AUTOGRAD_H
#define TG_AUTOGRAD_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Adds d loss / d leaf to the gradient of every leaf that requires one; loss has one element.  Only records calls,
 * which run when their results are needed.  May be called again on the same graph, on another loss, or on part of a
 * graph (tg_detach).  Fails if a tensor that it needs has been written to since the forward pass.
 *
 * Gradients (tg_grad) are constants: a loss may read them, but double backward is not supported, and a loss that
 * depends on nothing but gradients is an error. */
void tg_backward(tg_scope *s, tg_tensor *loss);
void tg_backward_from(tg_scope *s, tg_tensor *y, tg_tensor *gradient); /* from any y, with gradient = d loss / d y */
/* tg_backward for n leaves only: gradients of other leaves are neither computed nor changed.  Ignores leaves that
 * require no gradient (tg_require_grad); it is an error if the loss depends on none of the others.  tg_backward_for
 * (module.h) does this for the parameters of a module. */
void tg_backward_to(tg_scope *s, tg_tensor *loss, tg_tensor *const *leaves, int n);

/* Compares gradients with central differences.  Calls fn(s, context, in) in scopes with the given modes and checks the
 * gradient of a randomly weighted sum of its result with respect to each f32 input that requires one, at up to
 * `samples` elements of each (0: all).  True if |analytic - numeric| <= tolerance (1 + |numeric|) everywhere; otherwise
 * false, and `report` (may be NULL) names the worst element.  s fails only if fn does. */
typedef struct {
    double tolerance, step; /* 0: 1e-2 each; the step is multiplied by |element|, clamped to 0.1 to 1 */
    int samples;
    tg_modes modes;
    uint64_t seed;
} tg_gradcheck_config;
bool tg_gradcheck(tg_scope *s, tg_tensor *(*fn)(tg_scope *s, void *context, tg_tensor *const *in), void *context,
                  tg_tensor *const *in, int n, tg_gradcheck_config config, char report[256]);

#ifdef __cplusplus
}
#endif
#endif
