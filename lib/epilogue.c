/* epilogue.c - an effect takes the rows of a value from the task that makes them, while they are in the cache.
 *
 * What an update reads, a weight's gradient, is made long before updates run, and is as large as the weight: it goes to
 * memory and comes back.  But a kernel may make it some rows a task, and the update's tasks are rows, too
 * (tg_kernel.rows).  Then the call that makes it is moved down to the update, which becomes its epilogue: after each
 * task of the one those of the other run for the same rows, which lie in the worker's scratch.  As a whole the value
 * never exists.  The tasks and their sums are the same as without, so the bits are. */
#include "core.h"

/* Inputs that live longer than they would have: as large as the value that needs no memory now, or no matter. */
enum { LITTLE = 1 << 20 };

static int64_t rows_of_task(const tg_call *c) { return c->kernel->rows ? c->kernel->rows(c) : 0; }

static bool lives_longer(const tg_call *c)
{
    size_t bytes = 0;
    TG_EACH_IN(c, k) bytes += c->in[k]->storage->bytes;
    return bytes > LITTLE && bytes > c->out[0]->storage->bytes;
}

/* out[0] is all that c makes, in rows, from what nobody changes, and nobody will ask for it. */
static bool makes_rows(const tg_list *l, const tg_call *c)
{
    if (!c->out[0] || c->op->writes || !c->kernel->tasks || !rows_of_task(c)) return false;
    if (!tg_dies(l, c->out[0]->storage)) return false;
    for (int k = 1; k < c->op->n_out; k++)
        if (c->out[k]) return false;
    return !lives_longer(c);
}

static int reads(const tg_call *c, const tg_storage *t)
{
    int n = 0;
    TG_EACH_IN(c, k) n += c->in[k]->storage == t;
    return n;
}

static bool changes_what_it_reads(const tg_call *c, const tg_call *reader)
{
    TG_EACH_IN(c, k) if (tg_writes(c, k) && reads(reader, c->in[k]->storage)) return true;
    return false;
}

/* The only reader of out[0] of call i, if it can be its epilogue; 0: there is none.  Call i can be moved there: nothing
 * in between changes what it reads. */
static int reader_of(const tg_list *l, int i)
{
    const tg_call *c = l->at[i];
    const tg_storage *out = c->out[0]->storage;
    int at = 0;
    for (int j = i + 1; j < l->n; j++) {
        const int n = reads(l->at[j], out);
        if (!at && changes_what_it_reads(l->at[j], c)) return 0;
        if (n > 1 || (n && at)) return 0;
        if (n) at = j;
    }
    return at;
}

/* Its tasks are parts of the other's, or the other's is only one. */
static bool takes_rows(const tg_call *c, const tg_call *from)
{
    const int64_t rows = rows_of_task(c), made = rows_of_task(from);
    if (!c->op->writes || c->is_epilogue || c->kernel->scratch || c->packing || !rows) return false;
    if (made % rows && made < from->out[0]->dim[0]) return false;
    TG_EACH_IN(c, k) if (c->in[k]->storage == from->out[0]->storage) return tg_same_shape(c->in[k], c->in[0]);
    return false;
}

void tg_find_epilogues(tg_list *l)
{
    for (int i = l->n - 1; i >= 0; i--) {
        tg_call *c = l->at[i];
        const int j = makes_rows(l, c) ? reader_of(l, i) : 0;
        if (!j || !takes_rows(l->at[j], c)) continue;
        for (int k = i; k < j - 1; k++) l->at[k] = l->at[k + 1];
        l->at[j - 1] = c;
        c->epilogue = l->at[j];
        l->at[j]->is_epilogue = true;
    }
}

static size_t row_bytes(const tg_tensor *t) { return t->storage->bytes / (size_t)t->dim[0]; }

size_t tg_epilogue_bytes(const tg_call *c)
{
    return c->epilogue ? ((size_t)rows_of_task(c) * row_bytes(c->out[0]) + 63) / 64 * 64 : 0;
}

void tg_run_with_epilogue(const tg_call *c, const tg_task *task, char *room)
{
    const int64_t rows = rows_of_task(c), step = rows_of_task(c->epilogue), first = rows * task->index;
    const int64_t all = c->out[0]->dim[0], last = first + rows < all ? first + rows : all;
    /* A tensor whose rows first .. last - 1 lie in the room. */
    tg_storage storage = *c->out[0]->storage;
    tg_tensor  some = *c->out[0];
    tg_call    make = *c, take = *c->epilogue;
    storage.data = (char *)((uintptr_t)room - (uintptr_t)first * row_bytes(&some));
    some.storage = &storage;
    make.out[0] = &some;
    TG_EACH_IN(&take, k) if (take.in[k]->storage == c->out[0]->storage) take.in[k] = &some;
    make.kernel->run(&make, task);
    tg_task of_rows = { .step = task->step, .worker = task->worker, .fault = task->fault };
    for (of_rows.index = first / step; of_rows.index * step < last; of_rows.index++) take.kernel->run(&take, &of_rows);
}
