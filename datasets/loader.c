/* loader.c - worker threads that prefetch batches.
 *
 * A slot is memory for one batch.  Workers take batches in order, each into a free slot.  tg_next lends the slot of the
 * next batch to the caller's scope, whose reset returns it to the workers.  A batch's contents follow from (seed,
 * epoch, number) alone, so it does not matter which worker prepares it.  There are always more slots than are lent: for
 * a program that keeps many batches the loader allocates more memory instead of waiting forever. */
#include "dataset.h"
#include "parallel.h"
#include "run.h"
#include "system.h"
#include "transform.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_WORKERS = 64 };
static const int64_t last_epoch = (int64_t)1 << 60;

typedef struct {
    int64_t epoch, batch;
} place;

typedef enum { FREE, FILLING, READY, LENT } slot_state;
typedef struct slot {
    tg_loader *loader;
    struct slot *next;
    slot_state state;
    bool unwanted; /* being filled with a batch that a seek has made obsolete */
    place at;
    uint64_t seed;
    int count;
    float *x;        /* [count, h, w, c] */
    int64_t *y;      /* [count] */
    uint32_t *index; /* [count] indices of the images */
} slot;

struct tg_loader {
    tg_scope *scope;
    tg_dataset data;
    tg_loader_config config;
    tg_pixels pixels;
    int64_t batches; /* per epoch */
    place here;      /* the next batch that tg_next returns; used by its thread only */
    struct {
        place at;
        uint64_t seed;
    } saved; /* what checkpoints save and load */
    pthread_t threads[MAX_WORKERS];
    int running;
    pid_t process; /* the process that owns the threads */

    pthread_mutex_t lock;      /* protects all that follows */
    pthread_cond_t work, done; /* signalled when a slot can be filled; when one was filled */
    place prefetch;            /* the next batch that a worker takes */
    uint32_t *order;           /* [data.count] the shuffled order of epoch `ordered`; NULL: not shuffled */
    int64_t ordered;
    slot *slots;
    bool stop;
};

/* A forked process has no workers: it must not wait for them, nor for a lock that one of them may have held. */
static bool is_forked(const tg_loader *l) { return l->process != getpid(); }

static void lock(tg_loader *l)
{
    if (!is_forked(l)) pthread_mutex_lock(&l->lock);
}

static void unlock(tg_loader *l)
{
    if (!is_forked(l)) pthread_mutex_unlock(&l->lock);
}

static void call_workers(tg_loader *l)
{
    if (!is_forked(l)) pthread_cond_broadcast(&l->work);
}

/* ---- slots; the lock is held ---- */
static int count_slots(const tg_loader *l, slot_state state)
{
    int n = 0;
    for (const slot *k = l->slots; k; k = k->next) n += k->state == state;
    return n;
}

/* The maximum of batches ready or being filled; more would only use memory. */
static int depth(const tg_loader *l) { return l->config.workers + 1; }

static slot *find_free(const tg_loader *l)
{
    if (count_slots(l, FILLING) + count_slots(l, READY) >= depth(l)) return NULL;
    slot *k = l->slots;
    while (k && k->state != FREE) k = k->next;
    return k;
}

static slot *find_ready(const tg_loader *l, place at)
{
    slot *k = l->slots;
    while (k && !(k->state == READY && k->at.epoch == at.epoch && k->at.batch == at.batch)) k = k->next;
    return k;
}

static slot *slot_new(tg_loader *l)
{
    const tg_dataset *const d = &l->data;
    const size_t images = d->count < l->config.batch ? (size_t)d->count : (size_t)l->config.batch;
    const size_t pixels = images * (size_t)d->h * (size_t)d->w * (size_t)d->c;
    const size_t x = (pixels * sizeof(float) + 63) / 64 * 64, y = images * sizeof(int64_t);
    slot *const k = tg_system_alloc(sizeof *k);
    uint8_t *const block = tg_system_alloc(x + y + images * sizeof(uint32_t));
    if (!k || !block) {
        tg_system_free(k);
        tg_system_free(block);
        return NULL;
    }
    *k = (slot){ .loader = l, .x = (float *)block, .y = (int64_t *)(block + x), .index = (uint32_t *)(block + x + y) };
    return k;
}

static bool add_slots(tg_loader *l, int n)
{
    for (int i = 0; i < n; i++) {
        slot *const k = slot_new(l);
        if (!k) return false;
        k->next = l->slots;
        l->slots = k;
    }
    return true;
}

/* ---- workers ---- */

/* Assigns the next batch to k.  The lock is held, so batches are taken in order. */
static void assign_batch(tg_loader *l, slot *k)
{
    const int64_t first = l->prefetch.batch * l->config.batch, left = l->data.count - first;
    if (l->order && l->ordered != l->prefetch.epoch) {
        tg_shuffle(l->config.seed, l->prefetch.epoch, l->data.count, l->order);
        l->ordered = l->prefetch.epoch;
    }
    k->state = FILLING;
    k->unwanted = false;
    k->at = l->prefetch;
    k->seed = l->config.seed;
    k->count = (int)(left < l->config.batch ? left : l->config.batch);
    for (int i = 0; i < k->count; i++) k->index[i] = l->order ? l->order[first + i] : (uint32_t)(first + i);
    if (++l->prefetch.batch == l->batches) l->prefetch = (place){ l->prefetch.epoch + 1, 0 };
}

static void fill_slot(const tg_loader *l, slot *k)
{
    const tg_dataset *const d = &l->data;
    const size_t size = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    for (int i = 0; i < k->count; i++) {
        const uint32_t n = k->index[i];
        const tg_view view = tg_view_of(k->seed, k->at.epoch, n, l->config.crop_pad, l->config.flip);
        tg_show(&l->pixels, d->images + n * size, view, k->x + (size_t)i * size);
        k->y[i] = d->labels[n];
    }
}

static void *worker(void *loader)
{
    tg_loader *const l = loader;
    tg_unbind_thread(); /* libgomp may have bound the thread that created this one */
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        slot *const k = find_free(l);
        if (!k) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        assign_batch(l, k);
        pthread_mutex_unlock(&l->lock);
        fill_slot(l, k);
        pthread_mutex_lock(&l->lock);
        k->state = k->unwanted ? FREE : READY;
        pthread_cond_signal(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- the loader ---- */
static void loader_free(tg_loader *l)
{
    for (slot *k = l->slots, *next; k; k = next) {
        next = k->next;
        tg_system_free(k->x);
        tg_system_free(k);
    }
    tg_system_free(l->order);
    if (!is_forked(l)) {
        pthread_cond_destroy(&l->work);
        pthread_cond_destroy(&l->done);
        pthread_mutex_destroy(&l->lock);
    }
    tg_system_free(l);
}

/* Called when the loader's scope ends.  Batches may live on in other scopes; the last of them frees the loader. */
static void loader_close(void *loader)
{
    tg_loader *const l = loader;
    lock(l);
    l->stop = true;
    call_workers(l);
    unlock(l);
    for (int i = 0; i < l->running && !is_forked(l); i++) pthread_join(l->threads[i], NULL);
    if (count_slots(l, LENT) == 0) loader_free(l);
}

static void return_slot(void *lent)
{
    slot *const k = lent;
    tg_loader *const l = k->loader;
    lock(l);
    k->state = FREE;
    const bool last = l->stop && count_slots(l, LENT) == 0;
    call_workers(l);
    unlock(l);
    if (last) loader_free(l);
}

static bool config_sound(tg_scope *s, const tg_dataset *d, const tg_loader_config *c)
{
    const int side = d->h < d->w ? d->h : d->w;
    if (c->batch < 1) tg_fail(s, "loader: a batch of %d images, want at least 1", c->batch);
    else if (c->crop_pad < 0 || c->crop_pad >= side)
        tg_fail(s, "loader: crop_pad is %d, want 0 to %d for images of %d x %d", c->crop_pad, side - 1, d->h, d->w);
    else if (c->workers < 0 || c->workers > MAX_WORKERS)
        tg_fail(s, "loader: %d workers, want 0 to %d", c->workers, MAX_WORKERS);
    else if (c->drop_last && c->batch > d->count)
        tg_fail(s, "loader: %lld images make no whole batch of %d", (long long)d->count, c->batch);
    for (int k = 0; k < d->c && !c->no_normalize; k++)
        if (!(d->deviation[k] > 0))
            tg_fail(s, "loader: deviation of channel %d is %g, want more than 0", k, (double)d->deviation[k]);
    return tg_ok(s);
}

/* With all signals blocked: they are for the program's threads. */
static void start_workers(tg_scope *s, tg_loader *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->running < l->config.workers && tg_ok(s)) {
        const bool made = tg_system_allowed() && !pthread_create(&l->threads[l->running], NULL, worker, l);
        if (made) l->running++;
        else tg_fail(s, "loader: thread %d of %d cannot be created", l->running + 1, l->config.workers);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

tg_loader *tg_loader_new(tg_scope *s, const tg_dataset *data, tg_loader_config config)
{
    if (tg_ok(s) && !data) tg_fail(s, "loader: data is NULL");
    if (tg_ok(s) && data->scope) tg_wants_home(s, "loader", "dataset", data->scope);
    if (!tg_ok(s) || !tg_dataset_sound(s, data, "loader") || !config_sound(s, data, &config)) return NULL;
    if (config.workers == 0) config.workers = 1;
    tg_loader *const l = tg_system_alloc(sizeof *l);
    if (!l) {
        tg_fail(s, "loader: no memory");
        return NULL;
    }
    const int64_t whole = data->count / config.batch, some = data->count % config.batch != 0 && !config.drop_last;
    *l = (tg_loader){
        .scope = s,
        .data = *data,
        .config = config,
        .pixels = tg_pixels_of(data, config.no_normalize),
        .batches = whole + some,
        .ordered = -1,
        .process = getpid(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER,
    };
    if (!tg_defer(s, loader_close, l)) return NULL;
    if (!config.no_shuffle) l->order = tg_system_alloc((size_t)data->count * sizeof *l->order);
    if ((!config.no_shuffle && !l->order) || !add_slots(l, depth(l) + 1)) tg_fail(s, "loader: no memory for batches");
    start_workers(s, l);
    return tg_ok(s) ? l : NULL;
}

int64_t tg_loader_batches(const tg_loader *l) { return l ? l->batches : 0; }

/* Waits for the next batch.  NULL: no memory for another slot. */
static slot *lend(tg_loader *l)
{
    lock(l);
    slot *k = find_ready(l, l->here);
    for (; !k; k = find_ready(l, l->here)) pthread_cond_wait(&l->done, &l->lock);
    int slots = -1; /* without k */
    for (const slot *each = l->slots; each; each = each->next) slots += each->state != LENT;
    const bool enough = add_slots(l, depth(l) - slots);
    if (enough) k->state = LENT;
    call_workers(l);
    unlock(l);
    return enough ? k : NULL;
}

bool tg_next(tg_scope *s, tg_loader *l, tg_batch *batch)
{
    if (batch) *batch = (tg_batch){ 0 };
    if (!tg_wants_home(s, "next", "loader", l ? l->scope : NULL)) return false;
    if (!batch) return tg_fail(s, "next: the batch is NULL"), false;
    if (is_forked(l)) {
        tg_fail(s, "loader: its threads are in the parent process; create a loader after the fork");
        return false;
    }
    if (l->here.batch == l->batches) {
        l->here = (place){ l->here.epoch + 1, 0 };
        return false;
    }
    slot *const k = lend(l);
    if (!k) {
        tg_fail(s, "loader: no memory for another batch");
        return false;
    }
    const int count = k->count;
    batch->x = tg_borrow(s, TG_F32, 4, TG_DIM(count, l->data.h, l->data.w, l->data.c), k->x, return_slot, k);
    batch->y = tg_borrow(s, TG_I64, 1, TG_DIM(count), k->y, NULL, NULL);
    batch->count = count;
    batch->index = k->index;
    batch->first = l->here.batch * l->config.batch;
    l->here.batch++;
    return tg_ok(s);
}

static void seek(tg_loader *l, place to, uint64_t seed)
{
    l->here = to;
    lock(l);
    l->prefetch = to.batch < l->batches ? to : (place){ to.epoch + 1, 0 };
    if (seed != l->config.seed) l->ordered = -1;
    l->config.seed = seed;
    for (slot *k = l->slots; k; k = k->next) {
        if (k->state == FILLING) k->unwanted = true;
        if (k->state == READY) k->state = FREE;
    }
    call_workers(l);
    unlock(l);
}

void tg_loader_seek(tg_scope *s, tg_loader *l, int64_t epoch, int64_t batch)
{
    if (!tg_wants_home(s, "loader_seek", "loader", l ? l->scope : NULL)) return;
    if (epoch >= 0 && epoch <= last_epoch && batch >= 0 && batch <= l->batches)
        seek(l, (place){ epoch, batch }, l->config.seed);
    else
        tg_fail(s, "loader: batch %lld of epoch %lld, want 0 to %lld of 0 to %lld", (long long)batch, (long long)epoch,
                (long long)l->batches, (long long)last_epoch);
}

/* ---- in a checkpoint ---- */

static void require_same(tg_state *to, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    tg_state_same(to, name, text);
}

static void visit(tg_state *to, void *loader)
{
    tg_loader *const l = loader;
    if (!l) {
        tg_state_missing(to, "the loader");
        return;
    }
    tg_state_home(to, "loader", l->scope);
    const tg_loader_config *const c = &l->config;
    l->saved.at = l->here;
    l->saved.seed = c->seed;
    require_same(to, "images", l->data.count);
    require_same(to, "batch_size", c->batch);
    require_same(to, "shuffle", !c->no_shuffle);
    require_same(to, "drop_last", c->drop_last);
    require_same(to, "crop_pad", c->crop_pad);
    require_same(to, "flip", c->flip);
    require_same(to, "normalize", !c->no_normalize);
    tg_state_u64(to, "seed", &l->saved.seed);
    tg_state_int(to, "epoch", &l->saved.at.epoch, 0, last_epoch);
    tg_state_int(to, "batch", &l->saved.at.batch, 0, l->batches);
}

static void loaded(void *loader)
{
    tg_loader *const l = loader;
    seek(l, l->saved.at, l->saved.seed);
}

tg_stateful tg_loader_state(tg_loader *l)
{
    return (tg_stateful){ .prefix = "loader/", .what = l, .visit = visit, .loaded = loaded };
}
