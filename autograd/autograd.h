/* autograd.h - derivatives: the walk over the record. */
#ifndef TG_AUTOGRAD_H
#define TG_AUTOGRAD_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Adds d loss / d leaf to the gradient of every leaf that wants one; loss has one element.  Only records: it runs with
 * what reads it.  May be called again on the same graph, on another loss, or on a part of a graph (tg_detach).  Fails
 * if a tensor whose values it needs was written since the forward.
 *
 * Gradients (tg_grad) are constants: a loss may read them, but there is no double backward.  A loss that depends on
 * nothing but gradients is refused. */
void tg_backward(tg_scope *s, tg_tensor *loss);
void tg_backward_from(tg_scope *s, tg_tensor *y, tg_tensor *gradient); /* the same from any y, with d loss / d y */
/* tg_backward for these n leaves alone: other leaves neither get a gradient nor cost the time to compute one.  Leaves
 * that want no gradient (tg_require_grad) are passed over; it is an error if the loss depends on none of the others.
 * tg_backward_for (module.h) is the same for the parameters of a module. */
void tg_backward_to(tg_scope *s, tg_tensor *loss, tg_tensor *const *leaves, int n);

/* Compares backward with central differences.  fn(s, context, in) is called in scopes with these modes; the check is
 * of a randomly weighted sum of its result, in every input that is f32 and wants a gradient, at up to `samples`
 * elements of each (0: all).  True if |analytic - numeric| <= tolerance (1 + |numeric|) everywhere; otherwise false,
 * with the worst place in `report` (may be NULL).  Fails in s only if fn does. */
typedef struct {
    double tolerance, step; /* 0: 1e-2 and 1e-2; the step is times the element's size, within 0.1 .. 1 */
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
