/* steps.c - what every pass asks of the list. */
#include "steps.h"

void *tg_run_take(tg_list *l, size_t bytes) { return tg_arena_take(&l->program->run_arena, bytes); }

/* ---- who may still read a value ---- */

/* C code that has not returned holds handles to what this invocation made: a module's forward, or backward's walk. */
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

/* ---- values ---- */

static bool add_spare_values(tg_list *l)
{
    const int n = 16 + 2 * (int)(l->program->n - l->program->ran);
    l->spare = tg_run_take(l, sizeof *l->spare * (size_t)n);
    l->n_spare = l->spare ? n : 0;
    return l->spare;
}

bool tg_add_value(tg_list *l, tg_storage *t)
{
    if (!l->n_spare && !add_spare_values(l)) return false;
    l->n_spare--;
    t->value = l->spare++;
    t->value->storage = t;
    t->value->next = l->values;
    l->values = t->value;
    return true;
}

void tg_forget_values(tg_list *l)
{
    for (tg_value *v = l->values; v; v = v->next) v->storage->value = NULL;
    l->values = NULL;
}

tg_storage *tg_run_storage(tg_list *l, size_t bytes)
{
    tg_storage *const t = tg_run_take(l, sizeof *t);
    if (!t) return NULL;
    *t = (tg_storage){ .bytes = bytes, .program = l->program, .frame = TG_OF_RUN };
    return tg_add_value(l, t) ? t : NULL;
}

void tg_count_readers(const tg_list *l)
{
    for (tg_value *v = l->values; v; v = v->next) v->readers = 0;
    for (int i = 0; i < l->n; i++)
        TG_EACH_IN(l->at[i], k) {
            tg_value *const v = l->at[i]->in[k]->storage->value;
            v->readers++;
            v->reader = l->at[i];
        }
}
