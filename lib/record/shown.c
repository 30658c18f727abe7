/* shown.c - lazy f32 casts of bf16 results.  See shown.h. */
#include "shown.h"
#include "core.h"

tg_tensor *tg_show_f32(tg_scope *s, tg_tensor *t)
{
    if (!tg_ok(s) || !t || !t->node->made || t->dtype != TG_BF16) return t;
    tg_tensor *shown = tg_cast(s, t, TG_F32);
    if (tg_ok(s)) ((tg_call *)shown->node->made)->lazy = true;
    return shown;
}

bool tg_within_module(const tg_scope *s) { return s->program->n_frames > 0; }

tg_tensor *tg_shown_of(tg_tensor *t) { return t && t->node->made && t->node->made->lazy ? t->node->made->in[0] : t; }
