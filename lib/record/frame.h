/* frame.h - plain functions with the memory behaviour of a module.
 *
 * Inside a module's forward intermediate values are internal: their memory is released after their last use.  A network
 * written as a plain function keeps all of them until its scope is reset, since the program may still read any of them,
 * unless it is called between tg_enter and tg_leave:
 *
 *     tg_enter(s, "net");
 *     tg_tensor *y = tg_leave(s, net(s, &weights, image, text));
 *
 * With several results, pass all of them before anything else is recorded:
 *
 *     tg_enter(s, "detector");
 *     heads h = detector(s, &weights, image);
 *     tg_leave_n(s, (tg_tensor *const[]){ h.boxes, h.classes }, 2);
 *
 * Invocations nest.  Every tg_enter needs its tg_leave, on early returns and in failed scopes, too. */
#ifndef TG_FRAME_H
#define TG_FRAME_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Begins an invocation.  `where` names the calls recorded in it in errors and traces, "layer1.0.conv1" for example; it
 * must stay valid (it is not copied).  NULL means "". */
void tg_enter(tg_scope *s, const char *where);
/* Ends it: everything computed in it but the result becomes internal.  Returns the result; NULL: there is none. */
tg_tensor *tg_leave(tg_scope *s, tg_tensor *result);
void tg_leave_n(tg_scope *s, tg_tensor *const result[], int n); /* the same for n results */

#ifdef __cplusplus
}
#endif
#endif
