/* epilogue.c - a call's only reader runs on each piece of its output while that piece is in the cache.
 *
 * An update reads a weight's gradient, which is as large as the weight and computed long before updates run: it goes
 * to memory and comes back.  A pooling reads its largest input, which often nothing else reads.  But many kernels make
 * a fixed number of elements per task, and others take a fixed number per task (tg_kernel.makes, .takes).  Then the
 * producer moves down to its only reader, which becomes its epilogue: after each task of the producer, the reader's
 * tasks for the same elements run, in the worker's scratch.  The value never exists as a whole.  Tasks and sums are the
 * same as without, so the bits are too.  The producer's kernel is told what the epilogue reads besides, to prefetch it:
 * an update is bound by memory, the product before it by arithmetic. */
#include "steps.h"
#include "explain.h"
#include "master.h"

/* How much longer inputs of a moved call may live: up to the size of the value that is saved, or this many bytes. */
enum { SMALL = 1 << 20 };

static int64_t makes(const tg_call *c) { return c->kernel->makes ? c->kernel->makes(c) : 0; }
static int64_t takes(const tg_call *c, int k) { return c->kernel->takes ? c->kernel->takes(c, k) : 0; }

/* All inputs count, though some may live as long anyway. */
static bool inputs_live_longer(const tg_call *c)
{
    size_t bytes = 0;
    TG_EACH_IN(c, k) bytes += c->in[k]->storage->bytes;
    return bytes > SMALL && bytes > c->out[0]->storage->bytes;
}

static bool reads(const tg_call *c, const tg_storage *t)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == t) return true;
    return false;
}

static bool overwrites_input(const tg_call *c, const tg_call *reader)
{
    if (!c->op->writes) return false;
    TG_EACH_IN(c, k)
        if (tg_writes(c, k) && reads(reader, c->in[k]->storage)) return true;
    return false;
}

static bool has_one_output(const tg_call *c)
{
    for (int k = 1; k < c->op->n_out; k++)
        if (c->out[k]) return false;
    return c->out[0];
}

/* Why a value is needed besides the piece that its only reader is working on; NULL: it is not. */
static const char *reject_value(const tg_list *l, const tg_value *v)
{
    if (v->readers != 1) return v->readers ? "several calls read its output" : "nothing in this run reads its output";
    return tg_dies(l, v->storage) ? NULL : "its output may be read after the run";
}

/* Why call i cannot move down to the reader; NULL: it can, to `to`. */
static const char *reject_move(const tg_list *l, int i, const tg_call *reader, int *to)
{
    for (int j = i + 1; j < l->n; j++) {
        if (overwrites_input(l->at[j], l->at[i])) return "its inputs are overwritten before its reader runs";
        if (l->at[j] != reader) continue;
        *to = j;
        return NULL;
    }
    return "nothing in this run reads its output";
}

static int input_from(const tg_call *c, const tg_call *from)
{
    int at = -1;
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == from->out[0]->storage) at = k;
    return at;
}

/* Why the reader's tasks cannot run on what c's tasks make; NULL: they can. */
static const char *reject_tasks(const tg_call *c, const tg_call *reader)
{
    const tg_kernel *const k = reader->kernel;
    if (!k->takes) return "the reader's kernel takes no pieces";
    if (reader->is_epilogue || reader->epilogue) return "the reader has another epilogue";
    if (k->scratch || reader->packing || !k->tasks || k->in_place)
        return "the reader's kernel needs scratch of its own";
    const int64_t taken = takes(reader, input_from(reader, c)), made = taken ? makes(c) : 0;
    if (!taken) return "the reader's kernel takes no pieces of this shape";
    if (!made) return "its kernel makes no pieces of this shape";
    return made % taken == 0 || made >= tg_count(c->out[0]) ? NULL : "its pieces are no multiple of the reader's";
}

/* Why the reader of call i's output does not become its epilogue; NULL: the call at `to` does. */
static const char *reject(const tg_list *l, int i, int *to)
{
    const tg_call *const c = l->at[i];
    if (!has_one_output(c) || c->op->writes) return "it has other outputs";
    if (!c->kernel->tasks || !c->kernel->makes) return "its kernel makes no pieces";
    const tg_value *const v = c->out[0]->storage->value;
    const char *why = reject_value(l, v);
    if (!why) why = reject_tasks(c, v->reader);
    if (!why) why = reject_move(l, i, v->reader, to); /* last: it walks the list */
    return why || *to == i + 1 || !inputs_live_longer(c) ? why
                                                         : "its inputs, larger than its output, would live longer";
}

static void attach(tg_list *l, int i, int to)
{
    tg_call *const c = l->at[i];
    for (int k = i; k < to - 1; k++) l->at[k] = l->at[k + 1];
    l->at[to - 1] = c;
    c->epilogue = l->at[to];
    c->epilogue->is_epilogue = true;
}

void tg_find_epilogues(tg_list *l)
{
    tg_count_readers(l);
    for (int i = l->n - 1; i >= 0; i--) {
        int to = 0;
        const char *const why = reject(l, i, &to);
        if (l->notes) tg_explain_epilogue(l, l->at[i], why);
        if (!why) attach(l, i, to);
    }
}

static size_t bytes_of(const tg_tensor *t, int64_t elements) { return (size_t)elements * tg_dtype_size(t->dtype); }

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

/* Elements first .. last - 1 of the epilogue's other inputs, of those that have the shape of the value. */
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
    /* Tensors whose elements first .. last - 1 lie in `room`. */
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
