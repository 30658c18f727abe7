/* steps.c - what every step of a run asks of the list. */
#include "steps.h"

void *tg_run_take(tg_list *l, size_t bytes) { return tg_arena_take(&l->program->run_arena, bytes); }

/* C code that is still at work has handles to what the invocation made: a module's forward, or the walk of backward. */
static bool is_open(const tg_program *p, int32_t frame)
{
    return frame == TG_CLOSED ? p->walking != NULL : tg_frame_open(p, frame);
}

bool tg_held(const tg_list *l, const tg_storage *t)
{
    if (t->leaf || t->outer || t->pinned) return true;
    return l->middle && (t->frame == 0 || is_open(l->program, t->frame));
}

bool tg_wanted(const tg_list *l, const tg_storage *t) { return tg_held(l, t) || t->savers > 0; }

bool tg_dies(const tg_list *l, const tg_storage *t)
{
    if (t->leaf || t->outer || t->pinned || t->savers > 0 || t->frame == 0) return false;
    return !is_open(l->program, t->frame);
}
