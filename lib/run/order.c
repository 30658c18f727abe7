/* order.c - writes go to the end of the list, so that a kernel that faults on its data leaves what lasts untouched.
 *
 * First come the calls that wait for no write, in their order, then the others, in theirs; among these the writes that
 * nobody waits for sink to the end. */
#include "steps.h"

/* ---- first what waits for no write ---- */

/* A call is late if it writes, or reads what a late call writes or makes. */
static bool is_late(const tg_call *c, uint32_t now)
{
    if (c->op->writes) return true;
    TG_EACH_IN(c, k)
        if (c->in[k]->storage->write_mark == now) return true;
    return false;
}

static bool early_first(tg_list *l)
{
    uint32_t now = ++l->program->ordered;
    tg_call **late = tg_run_take(l, sizeof *late * (size_t)l->n);
    int n = 0, to = 0;
    if (!late) return false;
    for (int i = 0; i < l->n; i++) {
        tg_call *c = l->at[i];
        if (!is_late(c, now)) {
            l->at[to++] = c;
            continue;
        }
        TG_EACH_IN(c, k)
            if (tg_writes(c, k)) c->in[k]->storage->write_mark = now;
        TG_EACH_OUT(c, k) c->out[k]->storage->write_mark = now;
        late[n++] = c;
    }
    for (int i = 0; i < n; i++) l->at[to + i] = late[i];
    return true;
}

/* ---- then the writes that somebody waits for, with those who wait; last the others ---- */

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
    TG_EACH_OUT(c, k)
        if (c->out[k]->storage->read_mark == now) return true;
    return false;
}

static bool sink(tg_list *l)
{
    uint32_t now = ++l->program->ordered;
    tg_call **sunk = tg_run_take(l, sizeof *sunk * (size_t)l->n);
    int to = l->n, n = 0;
    if (!sunk) return false;
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

bool tg_effects_last(tg_list *l) { return early_first(l) && sink(l); }
