/* shown.h - shows bf16 results to user code as f32, at no cost unless they are read. */
#ifndef TG_SHOWN_H
#define TG_SHOWN_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A call's result in f32: for a bf16 one, a cast that runs only if it is read; otherwise t itself. */
tg_tensor *tg_show_f32(tg_scope *s, tg_tensor *t);
bool tg_within_module(const tg_scope *s); /* an invocation is open (frame.h) */
/* The inverse, for functions that also accept bf16: the tensor from which t was cast, or t itself; NULL for NULL. */
tg_tensor *tg_shown_of(tg_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
