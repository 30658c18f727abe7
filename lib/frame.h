/* frame.h - the invocation of a module: what is made inside is internal and gives its memory back after its last use. */
#ifndef TG_FRAME_H
#define TG_FRAME_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Opens an invocation; `where` (kept, not copied) names the calls recorded in it: "layer1.0.conv1". */
void tg_enter(tg_scope *s, const char *where);
/* Closes it: all that was made in it is internal from now on, but for the result, which belongs to the caller. */
tg_tensor *tg_leave(tg_scope *s, tg_tensor *result);

#ifdef __cplusplus
}
#endif
#endif
