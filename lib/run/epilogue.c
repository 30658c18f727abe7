/* epilogue.c - a call takes a value from the tasks that make it, while it is in the cache.
 *
 * What an update reads, a weight's gradient, is made long before updates run, and is as large as the weight: it goes to
 * memory and comes back.  What a pooling reads is its largest input, and often nobody else's.  But kernels make some
 * numbers of a value a task, and read some a task (tg_kernel.makes, .takes).  Then the call that makes it is moved down
 * to its only reader, which becomes its epilogue: after each task of the one those of the other run for the same
 * numbers, which lie in the worker's scratch.  As a whole the value never exists.  The tasks and their sums are the
 * same as without, so the bits are.  The kernel is told what the epilogue will read besides: an update is bound by
 * memory, and the product before it by arithmetic. */
#include "steps.h"
#include "master.h"

/* Inputs that live longer than they would have: as large as the value that needs no memory now, or no matter. */
enum { LITTLE = 1 << 20 };

static int64_t makes(const tg_call *c) { return c->kernel->makes ? c->kernel->makes(c) : 0; }
static int64_t takes(const tg_call *c, int k) { return c->kernel->takes ? c->kernel->takes(c, k) : 0; }

/* Inputs of a call that is moved: all of them, though some may live as long anyway. */
static bool live_longer(const tg_call *c)
{
    size_t bytes = 0;
    TG_EACH_IN(c, k) bytes += c->in[k]->storage->bytes;
    return bytes > LITTLE && bytes > c->out[0]->storage->bytes;
}

/* out[0] is all that c makes, in parts, from what nobody changes, and nobody will ask for it. */
static bool makes_parts(const tg_list *l, const tg_call *c)
{
    if (!c->out[0] || c->op->writes || !c->kernel->tasks || !makes(c)) return false;
    for (int k = 1; k < c->op->n_out; k++)
        if (c->out[k]) return false;
    return tg_dies(l, c->out[0]->storage);
}

static bool reads(const tg_call *c, const tg_storage *t)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == t) return true;
    return false;
}

static bool changes_what_it_reads(const tg_call *c, const tg_call *reader)
{
    if (!c->op->writes) return false;
    TG_EACH_IN(c, k)
        if (tg_writes(c, k) && reads(reader, c->in[k]->storage)) return true;
    return false;
}

/* The place of the only reader of out[0] of call i, if call i can be moved there, because nothing in between changes
 * what it reads; 0: it cannot. */
static int reader_of(const tg_list *l, int i)
{
    const tg_call *const c = l->at[i];
    const tg_value *const v = c->out[0]->storage->value;
    if (v->readers != 1) return 0;
    for (int j = i + 1; j < l->n; j++) {
        if (changes_what_it_reads(l->at[j], c)) return 0;
        if (l->at[j] == v->reader) return j;
    }
    return 0;
}

static int input_from(const tg_call *c, const tg_call *from)
{
    int at = -1;
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == from->out[0]->storage) at = k;
    return at;
}

/* Its tasks are parts of the other's, or the other's is only one. */
static bool takes_parts(const tg_call *c, const tg_call *from)
{
    const tg_kernel *k = c->kernel;
    if (c->is_epilogue || c->epilogue || k->scratch || c->packing || !k->tasks || k->in_place) return false;
    const int64_t taken = takes(c, input_from(c, from)), made = makes(from);
    return taken && (made % taken == 0 || made >= tg_count(from->out[0]));
}

void tg_find_epilogues(tg_list *l)
{
    tg_count_readers(l);
    for (int i = l->n - 1; i >= 0; i--) {
        tg_call *c = l->at[i];
        const int j = makes_parts(l, c) ? reader_of(l, i) : 0;
        if (!j || !takes_parts(l->at[j], c) || (j > i + 1 && live_longer(c))) continue;
        for (int k = i; k < j - 1; k++) l->at[k] = l->at[k + 1];
        l->at[j - 1] = c;
        c->epilogue = l->at[j];
        l->at[j]->is_epilogue = true;
    }
}

static size_t bytes_of(const tg_tensor *t, int64_t numbers) { return (size_t)numbers * tg_dtype_size(t->dtype); }

size_t tg_epilogue_bytes(const tg_call *c) { return c->epilogue ? (bytes_of(c->out[0], makes(c)) + 63) / 64 * 64 : 0; }

tg_parts tg_parts_of(const tg_call *c)
{
    const int k = input_from(c->epilogue, c);
    return (tg_parts){ k, makes(c), takes(c->epilogue, k) };
}

static void add_piece(tg_ahead *a, const void *from, size_t start, size_t bytes)
{
    a->piece[a->n].at = (const char *)from + start;
    a->piece[a->n++].bytes = (int64_t)bytes;
}

/* Numbers first .. last - 1 of what the epilogue reads besides, where it reads as many. */
static tg_ahead ahead_of(const tg_call *epilogue, int made, int64_t first, int64_t last)
{
    const int64_t all = tg_count(epilogue->in[made]);
    tg_ahead a = { 0 };
    TG_EACH_IN(epilogue, k) {
        const tg_tensor *t = epilogue->in[k];
        if (k == made || tg_count(t) != all) continue;
        const size_t start = bytes_of(t, first), bytes = bytes_of(t, last - first);
        add_piece(&a, tg_ptr(t), start, bytes);
        if (tg_is_split(t)) add_piece(&a, tg_lo(t), start, bytes);
    }
    return a;
}

void tg_run_with_epilogue(const tg_call *c, const tg_parts *parts, const tg_task *task, char *room)
{
    const int k = parts->input;
    const int64_t made = parts->made, taken = parts->taken, first = made * task->index;
    const int64_t all = tg_count(c->out[0]), last = first + made < all ? first + made : all;
    /* Tensors whose numbers first .. last - 1 lie in the room. */
    tg_storage storage = *c->out[0]->storage;
    tg_tensor out = *c->out[0], in = *c->epilogue->in[k];
    tg_call make = *c, take = *c->epilogue;
    storage.data = (char *)((uintptr_t)room - bytes_of(&out, first));
    out.storage = in.storage = &storage;
    make.out[0] = &out;
    take.in[k] = &in;
    const tg_ahead ahead = ahead_of(c->epilogue, k, first, last);
    tg_task making = *task;
    making.ahead = &ahead;
    make.kernel->run(&make, &making);
    tg_task part = { .step = task->step, .worker = task->worker, .fault = task->fault };
    for (part.index = first / taken; part.index * taken < last; part.index++) take.kernel->run(&take, &part);
}
