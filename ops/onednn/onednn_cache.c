/* onednn_cache.c - the process's cache of plans. See onednn_cache.h. */
#include "onednn_cache.h"
#include "onednn_engine.h"
#include "parallel.h"
#include "system.h"
#include <pthread.h>
#include <stddef.h>
#include <string.h>

typedef struct { /* no padding: compared as bytes */
    tg_onednn_build *build;
    int64_t threads; /* oneDNN partitions the work when the primitive is created */
    tg_onednn_shape shape;
} plan_key;

typedef struct cache_entry {
    plan_key key;
    tg_onednn_plan plan;
    uint64_t used;            /* time of last use */
    struct cache_entry *next; /* in the same bucket */
    tg_onednn_lease *idle;
    int n_leased;
    bool left; /* evicted: freed when the last lease is returned */
} cache_entry;

enum { BUCKETS = 256 };
static struct {
    pthread_mutex_t lock;
    cache_entry *bucket[BUCKETS];
    int n;
    uint64_t clock;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A child forked while another thread holds the lock would wait for it forever. */
static void take_lock(void) { pthread_mutex_lock(&cache.lock); }
static void leave_lock(void) { pthread_mutex_unlock(&cache.lock); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(take_lock, leave_lock, leave_lock); }

static void free_entry(cache_entry *e)
{
    while (e->idle) {
        tg_onednn_lease *lease = e->idle;
        e->idle = lease->next;
        tg_lease_free(lease);
    }
    tg_plan_clear(&e->plan);
    tg_system_free(e);
}

/* FNV-1a over words. */
static cache_entry **bucket_of(const plan_key *key)
{
    uint64_t word[sizeof *key / sizeof(uint64_t)], hash = 0xcbf29ce484222325u;
    memcpy(word, key, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) hash = (hash ^ word[i]) * 0x100000001b3u;
    return &cache.bucket[(hash >> 32) % BUCKETS];
}

static cache_entry **oldest(void)
{
    cache_entry **found = NULL;
    for (int i = 0; i < BUCKETS; i++)
        for (cache_entry **at = &cache.bucket[i]; *at; at = &(*at)->next)
            if (!found || (*at)->used < (*found)->used) found = at;
    return found;
}

static void evict_oldest(void)
{
    cache_entry **at = oldest(), *e = *at;
    *at = e->next;
    cache.n--;
    e->left = true;
    if (!e->n_leased) free_entry(e);
}

/* The entry of a key, created if necessary; NULL: no memory. The lock must be held. */
static cache_entry *find_entry(const plan_key *key)
{
    cache_entry *e = *bucket_of(key);
    while (e && memcmp(&e->key, key, sizeof *key)) e = e->next;
    if (!e) {
        e = tg_system_alloc(sizeof *e);
        if (!e) return NULL;
        e->key = *key;
        if (!tg_plan_make(&e->plan, key->build, &key->shape)) {
            tg_system_free(e);
            return NULL;
        }
        if (cache.n == TG_ONEDNN_PLANS) evict_oldest();
        e->next = *bucket_of(key);
        *bucket_of(key) = e;
        cache.n++;
    }
    e->used = ++cache.clock;
    return e;
}

static plan_key key_for(tg_onednn_build *build, const tg_onednn_shape *shape)
{
    return (plan_key){ .build = build, .threads = tg_threads(), .shape = *shape };
}

const char *tg_onednn_refusal(tg_onednn_build *build, const tg_onednn_shape *shape)
{
    const plan_key key = key_for(build, shape);
    pthread_mutex_lock(&cache.lock);
    const cache_entry *e = find_entry(&key);
    const char *refusal = e ? e->plan.refusal : NULL; /* without memory, prepare reports it */
    pthread_mutex_unlock(&cache.lock);
    return refusal;
}

int tg_onednn_cached(void)
{
    pthread_mutex_lock(&cache.lock);
    const int n = cache.n;
    pthread_mutex_unlock(&cache.lock);
    return n;
}

/* ---- leases ---- */

static cache_entry *entry_of(const tg_onednn_lease *lease)
{
    return (cache_entry *)((char *)lease->plan - offsetof(cache_entry, plan));
}

static tg_onednn_lease *take_lease(cache_entry *e)
{
    tg_onednn_lease *lease = e->idle;
    if (lease) e->idle = lease->next;
    else lease = tg_lease_new(&e->plan);
    e->n_leased += lease != NULL;
    return lease;
}

static void return_lease(void *what)
{
    tg_onednn_lease *lease = what;
    pthread_mutex_lock(&cache.lock);
    cache_entry *e = entry_of(lease);
    lease->next = e->idle;
    e->idle = lease;
    if (!--e->n_leased && e->left) free_entry(e);
    pthread_mutex_unlock(&cache.lock);
}

tg_onednn_lease *tg_onednn_lease_for(const tg_call *c, tg_onednn_build *build, const tg_onednn_shape *shape,
                                     tg_fault *fault)
{
    const plan_key key = key_for(build, shape);
    pthread_mutex_lock(&cache.lock);
    cache_entry *e = find_entry(&key);
    tg_onednn_lease *lease = e && !e->plan.refusal ? take_lease(e) : NULL;
    pthread_mutex_unlock(&cache.lock);
    if (lease && tg_defer(c->scope, return_lease, lease)) return lease;
    tg_fault_say(fault, 0, "no memory for oneDNN's primitive");
    return NULL;
}

/* ---- shared by kernels ---- */

tg_scratch tg_onednn_scratch(const tg_call *c) { return tg_lease_scratch(c->state); }
void tg_onednn_run(const tg_call *c, const tg_task *task) { tg_lease_run(c->state, c, task); }

const char *tg_onednn_wants_f32(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "an input is not f32";
    for (int k = 0; k < c->op->n_out; k++)
        if (c->out[k] && c->out[k]->dtype != TG_F32) return "an output is not f32";
    return NULL;
}
