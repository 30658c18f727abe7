/* shown.h - a bf16 tensor as user code sees it: in f32, which costs nothing unless somebody reads it. */
#ifndef TG_SHOWN_H
#define TG_SHOWN_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The result of a call in f32: itself, or of a bf16 one a cast that runs only if it is read. */
tg_tensor *tg_show_f32(tg_scope *s, tg_tensor *t);
bool tg_within_module(const tg_scope *s); /* an invocation is open (frame.h) */
/* The way back, for what takes bf16 as well: what t was shown of, or t itself.  NULL stays NULL. */
tg_tensor *tg_shown_of(tg_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
