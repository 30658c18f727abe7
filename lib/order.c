/* order.c - writes sink to the end of the list, so that a kernel that faults on its data leaves what lasts untouched. */
#include "core.h"

/* Marks say: a call that stays in front of the sunk effects reads, or writes, this storage later in the list. */
static void mark(const tg_call *c, uint32_t now)
{
    TG_EACH_IN(c, k) {
        if (tg_writes(c, k)) c->in[k]->storage->write_mark = now;
        else c->in[k]->storage->read_mark = now;
    }
    TG_EACH_OUT(c, k) c->out[k]->storage->write_mark = now;
}

static bool is_awaited(const tg_call *c, uint32_t now)
{
    TG_EACH_IN(c, k) {
        const tg_storage *t = c->in[k]->storage;
        if (t->write_mark == now || (tg_writes(c, k) && t->read_mark == now)) return true;
    }
    TG_EACH_OUT(c, k) if (c->out[k]->storage->read_mark == now) return true;
    return false;
}

bool tg_effects_last(tg_list *l)
{
    uint32_t  now = ++l->program->ordered;
    tg_call **sunk = tg_run_take(l, sizeof *sunk * (size_t)l->n);
    int       to = l->n, n = 0;
    if (!sunk && l->n) return false;
    for (int i = l->n - 1; i >= 0; i--) {
        tg_call *c = l->at[i];
        if (c->op->writes && !is_awaited(c, now)) {
            sunk[n++] = c;
            continue;
        }
        mark(c, now);
        l->at[--to] = c;
    }
    for (int i = to; i < l->n; i++) l->at[i - to] = l->at[i];
    for (int i = l->n - to; n; i++) l->at[i] = sunk[--n];
    return true;
}
