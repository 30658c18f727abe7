/* core.h - the structures behind scopes, tensors and the record.  Private to lib and autograd.
 *
 * Record: what the program said, in order; nothing edits it.  A run copies its pending part, rewrites the copy, orders
 * it, plans memory, executes, and throws the copy away.  See ARCHITECTURE.md. */
#ifndef TG_CORE_H
#define TG_CORE_H
#include "arena.h"
#include "memory.h"
#include "op.h"
#include "run.h"

enum {
    TG_MAX_PENDING = 16384, /* calls that may be pending before they are run */
    TG_MAX_FRAMES = 64,     /* modules within modules */
    TG_CLOSED = -1,         /* frame of what backward makes: internal, never open */
    TG_OF_RUN = -2,         /* frame of what a run makes for itself */
    TG_MESSAGE = 512,
};

typedef struct tg_program tg_program;

typedef struct tg_pack { /* a packed form that a weight keeps */
    const tg_layout *layout;
    int32_t key[TG_LAYOUT_KEY];
    void *data;
    size_t bytes;
    uint32_t version; /* of the weight, when it was packed ... */
    bool filled;      /* ... if it ever was */
    bool used;        /* since the last update */
    struct tg_pack *next;
} tg_pack;

typedef struct tg_storage { /* bytes; aliases share it */
    void *data;             /* NULL: no memory now */
    size_t bytes;
    tg_program *program;
    tg_scope *scope;                /* who frees it */
    struct tg_storage *prev, *next; /* in its scope's list; next also in the free list */
    const tg_call *made;            /* the recorded call that makes it; NULL: a leaf */
    void (*release)(void *);        /* of borrowed bytes */
    void *owner;
    uint32_t version, ran; /* writes recorded, executed */
    tg_pack *packs;
    void *shown; /* what tg_f32 or tg_i64 converted */
    size_t shown_bytes;
    float *edited;                  /* of a split weight: its FP32 values, while tg_edit's caller may write them */
    int32_t savers;                 /* recorded calls whose backward, not yet walked, reads it */
    int32_t frame;                  /* the invocation that made it; 0: user code */
    int32_t readers, last_use;      /* in the run being planned */
    struct tg_second *second;       /* in a run, while tg_recompute looks: the value's second copy; else NULL */
    uint32_t read_mark, write_mark; /* of the run being ordered: number of the run in which a kept call does */
    bool leaf, pinned, pending;
    bool outer; /* a leaf's gradient: outlives the step */
    bool borrowed;
    bool keeps_packs;
    bool split;        /* bf16 values, then the lower halves of their FP32 masters: see master.h */
    bool moved, given; /* of the run being planned: its block went to an output; it died */
} tg_storage;

struct tg_node {         /* what is known of a tensor besides its elements */
    const tg_call *made; /* the call that made it; NULL: a leaf */
    bool needs_grad;
    bool lent;            /* a leaf's gradient: an update empties it, so calls get handles of their own */
    bool spared;          /* in a walk: a leaf that wants a gradient, but is not to get one from it */
    uint32_t walk;        /* number of the last backward that reached it */
    tg_tensor *grad;      /* a leaf's gradient */
    tg_tensor *walk_grad; /* the gradient within walk number `walk` */
    tg_tensor *twin;      /* what a checkpointed segment made in its place */
    tg_tensor *cast;      /* of a leaf: autocast's cast of it, in the life of a scope, of a version */
    uint64_t cast_life;
    uint32_t cast_version;
};

typedef struct tg_deferred {
    void (*release)(void *);
    void *what;
    struct tg_deferred *next;
} tg_deferred;

struct tg_scope {
    tg_program *program;
    tg_scope *parent, *first_child, *sibling;
    int depth;
    uint64_t life; /* unique: another one after each reset */
    tg_modes modes;
    bool failed;
    int system_error; /* the errno of the failure, if it was the system's */
    char message[TG_MESSAGE];
    char *whole;  /* the message, if it is longer than that and there was memory */
    size_t calls; /* of its own in the record */
    tg_arena arena;
    tg_storage *storages;
    tg_deferred *deferred;
};

typedef struct {
    int32_t id;
    const char *where;
} tg_frame; /* an invocation of a module */

struct tg_program { /* one a root */
    tg_scope *root;
    int64_t failed;   /* scopes that have */
    tg_call **record; /* append-only until reset; [ran, n) is pending */
    size_t n, ran, capacity;
    tg_tensor **needed; /* while tg_need works: what it has to make again, each for the one before it */
    size_t needed_capacity;
    tg_arena run_arena;             /* the run's copy, and what else lives as long as a run */
    tg_frame frames[TG_MAX_FRAMES]; /* the invocations of modules that are open, outermost first */
    int32_t n_frames, last_frame;
    const char *inferring; /* the operator whose infer is at work, for messages; NULL: none */
    const char *calling;   /* the public function at work, if its operators have other names; see tg_call_as */
    const char *walking;   /* backward is recording; the module whose call it differentiates, or "" */
    uint32_t walk, segment, last_segment; /* numbers of: the last walk; the open segment of tg_checkpoint, the last */
    tg_memory memory;
    tg_storage *free_storages;
    tg_arena slabs;   /* of storages */
    uint64_t lives;   /* of scopes, so far */
    uint32_t ordered; /* lists so far: see order.c */
    uint64_t seed, random_counter;
    tg_options options;
    tg_stats stats;
    bool running;
};

/* scope.c */
/* As tg_fail, but about a call that module `where` made; "": no module.  tg_fail names the one at work. */
void tg_fail_in(tg_scope *s, const char *where, const char *format, ...) TG_PRINTF(3, 4);
bool tg_is_ancestor(const tg_scope *ancestor, const tg_scope *s); /* or the same */

/* storage.c */
tg_storage *tg_storage_new(tg_scope *s, size_t bytes);   /* without memory; NULL: s has failed */
bool tg_storage_fill(tg_storage *storage);               /* gives it memory now; false: none */
void tg_storage_drop(tg_storage *storage);               /* gives its memory back */
void tg_storage_free(tg_storage *storage);               /* the same, and takes it out of its scope */
void tg_storage_move(tg_storage *storage, tg_scope *to); /* to another scope's list */

/* tensor.c */
tg_tensor *tg_nil(void); /* the tensor without elements */
tg_tensor *tg_tensor_on(tg_scope *s, tg_storage *storage, tg_dtype dtype, int rank, const int64_t *dim);
tg_tensor *tg_leaf(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim); /* with memory, not zeroed */
/* Bytes of such a tensor; fails (who, for the message) on a bad rank or dim, or when it does not fit in int64_t. */
bool tg_size_of(tg_scope *s, const char *who, tg_dtype dtype, int rank, const int64_t *dim, size_t *bytes);

/* apply.c */
bool tg_need(tg_scope *s, tg_tensor *t);  /* t will be read: if it has no memory its call is recorded again */
tg_call *tg_append(const tg_call *c);     /* a copy, at the end of the record; NULL: its scope has failed */
void tg_uncount_savers(const tg_call *c); /* backward will not read what c's masks name (any more) */

/* read.c */
void tg_drop_shown(tg_storage *t);

/* master.c */
void *tg_edit_split(tg_scope *s, tg_tensor *t);    /* tg_edit of a split weight */
void tg_copy_split(const tg_tensor *t, float *to); /* its FP32 values */
void tg_settle_edit(tg_storage *t); /* what tg_edit's caller wrote into a split weight becomes its value */

/* autocast.c */
void tg_cast_inputs(tg_scope *s, tg_call *c); /* as the scope's autocast and the operator's rule say */

/* gradient.c */
bool tg_adopt_grad(tg_scope *s, tg_tensor *leaf, tg_tensor *g); /* g becomes the gradient of leaf, which has none */

/* frame.c */
int32_t tg_frame_now(const tg_program *p); /* for what is made now: 0 in user code */
/* the module at work: "layer1.0.conv1"; "": none, or a run or a backward */
const char *tg_where_now(const tg_program *p);
bool tg_frame_open(const tg_program *p, int32_t frame);

/* lib/run/run.c: the door by which resetting a scope reaches the steps of a run (tg_run, in run.h, is the other) */
void tg_drop_failed(tg_program *p); /* pending calls of scopes that failed: as if never recorded */

/* packs.c */
void tg_note_repacked(tg_storage *t); /* an update has written the packs in use */
void tg_drop_packs(tg_storage *t);

/* fault.c */
struct tg_fault {
    int64_t task; /* the lowest that said something; INT64_MAX: none */
    char message[256];
};
bool tg_faulted(const tg_fault *fault);

static inline bool tg_writes(const tg_call *c, int k) { return c->in[k] && (c->op->writes & TG_BIT(k)); }
/* The first input, or output, from k on that the call has; n_in, or n_out: none. */
static inline int tg_next_in(const tg_call *c, int k)
{
    while (k < c->op->n_in && !c->in[k]) k++;
    return k;
}
static inline int tg_next_out(const tg_call *c, int k)
{
    while (k < c->op->n_out && !c->out[k]) k++;
    return k;
}
#define TG_EACH_IN(c, k)  for (int k = tg_next_in(c, 0); k < (c)->op->n_in; k = tg_next_in(c, k + 1))
#define TG_EACH_OUT(c, k) for (int k = tg_next_out(c, 0); k < (c)->op->n_out; k = tg_next_out(c, k + 1))
#endif
