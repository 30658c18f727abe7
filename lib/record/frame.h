/* frame.h - the invocation of a module: what is made inside is internal and gives its memory back after its last use.
 *
 * tg_forward opens and closes one for each module.  A network that is a function, and no module, keeps every
 * intermediate value until the reset of its scope, for the program may still ask for any of them, unless it runs as an
 * invocation, too:
 *
 *     tg_enter(s, "net");
 *     tg_tensor *y = tg_leave(s, net(s, &weights, image, text));
 *
 * With several results, name them all before anything else is recorded:
 *
 *     tg_enter(s, "detector");
 *     heads h = detector(s, &weights, image);
 *     tg_leave_n(s, (tg_tensor *const[]){ h.boxes, h.classes }, 2);
 *
 * Invocations nest.  A function that returns between the two must leave as well.  In a failed scope both do nothing but
 * count. */
#ifndef TG_FRAME_H
#define TG_FRAME_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Opens an invocation; `where` (kept, not copied; NULL: "") names the calls recorded in it, in errors and traces:
 * "layer1.0.conv1". */
void tg_enter(tg_scope *s, const char *where);
/* Closes it: all that was made in it is internal from now on, but for the result, which belongs to the caller.
 * NULL: there is no result. */
tg_tensor *tg_leave(tg_scope *s, tg_tensor *result);
void tg_leave_n(tg_scope *s, tg_tensor *const result[], int n); /* the same, with n results */

#ifdef __cplusplus
}
#endif
#endif
