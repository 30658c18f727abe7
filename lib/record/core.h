/* core.h - the structures behind scopes, tensors and the record.  Private to lib and autograd.
 *
 * The record lists the program's calls in order and is never edited.  A run copies the pending calls, rewrites and
 * orders the copy, plans memory, executes it, and discards it.  See ARCHITECTURE.md. */
#ifndef TG_CORE_H
#define TG_CORE_H
#include "arena.h"
#include "memory.h"
#include "op.h"
#include "run.h"

enum {
    TG_MAX_PENDING = 16384, /* pending calls that trigger a run */
    TG_MAX_FRAMES = 64,     /* depth of nested modules */
    TG_CLOSED = -1,         /* frame of tensors that backward creates: internal, never open */
    TG_OF_RUN = -2,         /* frame of temporaries that a run creates */
    TG_MESSAGE = 512,
};

typedef struct tg_program tg_program;

typedef struct tg_pack { /* a packed form, cached with its weight */
    const tg_layout *layout;
    int32_t key[TG_LAYOUT_KEY];
    void *data;
    size_t bytes;
    uint32_t version; /* of the weight when it was packed */
    bool filled;      /* it was packed at least once */
    bool used;        /* since the last update */
    struct tg_pack *next;
} tg_pack;

typedef struct tg_storage { /* a tensor's bytes, shared by its aliases */
    void *data;             /* NULL: no memory at present */
    size_t bytes;
    tg_program *program;
    tg_scope *scope;                /* owns it */
    struct tg_storage *prev, *next; /* in its scope's list; next also in the free list */
    const tg_call *made;            /* the recorded call that computes it; NULL: a leaf */
    void (*release)(void *);        /* for borrowed bytes; called with owner */
    void *owner;
    uint32_t version, ran; /* writes recorded, writes executed */
    tg_pack *packs;
    void *shown; /* the elements as tg_f32 or tg_i64 converted them */
    size_t shown_bytes;
    float *edited;          /* a split weight's FP32 values while tg_edit's caller may write them */
    int32_t savers;         /* recorded calls whose backward, not yet recorded, reads it */
    int32_t frame;          /* the invocation that created it; 0: user code */
    struct tg_value *value; /* in a run: what its passes note about it (lib/run/steps.h); else NULL */
    bool leaf, pinned, pending;
    bool outer; /* a leaf's gradient: outlives the step */
    bool borrowed;
    bool keeps_packs;
    bool split; /* bf16 values, then the lower halves of their FP32 masters: see master.h */
} tg_storage;

struct tg_node {         /* a tensor's place in the graph of calls */
    const tg_call *made; /* the call whose result it is; NULL: a leaf */
    bool needs_grad;
    bool lent;            /* a leaf's gradient: an update takes its storage, so calls get handles of their own */
    bool spared;          /* in a walk: a leaf that needs a gradient but gets none from this walk */
    uint32_t walk;        /* number of the last backward that reached it */
    tg_tensor *grad;      /* a leaf's gradient */
    tg_tensor *walk_grad; /* the gradient within walk number `walk` */
    tg_tensor *twin;      /* its recomputed copy in a checkpointed segment */
    tg_tensor *cast;      /* a leaf's cached cast by autocast, valid for one life of a scope and one version */
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
    uint64_t life; /* unique; a new one after each reset */
    tg_modes modes;
    bool failed;
    int system_error; /* errno, if a system call failed; else 0 */
    char message[TG_MESSAGE];
    char *whole;  /* the full message, if it does not fit there; NULL also without memory for it */
    size_t calls; /* its own calls in the record */
    tg_arena arena;
    tg_storage *storages;
    tg_deferred *deferred;
};

typedef struct {
    int32_t id;
    const char *where;
} tg_frame; /* an invocation of a module */

struct tg_program { /* one per root */
    tg_scope *root;
    int64_t failed;   /* number of failed scopes */
    tg_call **record; /* append-only until reset; [ran, n) is pending */
    size_t n, ran, capacity;
    tg_tensor **needed; /* tg_need's stack of values to recompute, each needed by the one below it */
    size_t needed_capacity;
    tg_arena run_arena;             /* the run's copy of the calls, and everything else with a run's lifetime */
    tg_frame frames[TG_MAX_FRAMES]; /* open invocations of modules, outermost first */
    int32_t n_frames, last_frame;
    const char *inferring; /* the operator whose infer is running, for messages; NULL: none */
    const char *calling;   /* the public function to name in messages instead of the operator; see tg_call_as */
    const char *walking;   /* while backward records: the module whose call is differentiated, or ""; else NULL */
    uint32_t walk, segment, last_segment; /* the last walk; the open segment of tg_checkpoint (0: none); the last one */
    tg_memory memory;
    tg_storage *free_storages;
    tg_arena slabs; /* memory of storages */
    uint64_t lives; /* lives of scopes so far */
    uint64_t seed, random_counter;
    tg_options options;
    tg_stats stats;
    bool running;
};

/* scope.c */
/* As tg_fail, for a call recorded in module `where`; "": no module.  tg_fail names the module that is open now. */
void tg_fail_in(tg_scope *s, const char *where, const char *format, ...) TG_PRINTF(3, 4);
bool tg_is_ancestor(const tg_scope *ancestor, const tg_scope *s); /* also true if they are the same */

/* storage.c */
tg_storage *tg_storage_new(tg_scope *s, size_t bytes); /* without memory; NULL: s has failed */
bool tg_storage_fill(tg_storage *storage);             /* allocates its memory; false: out of memory */
void tg_storage_drop(tg_storage *t);                   /* frees its memory */
void tg_storage_free(tg_storage *t);                   /* frees it and its memory, and removes it from its scope */
void tg_storage_move(tg_storage *t, tg_scope *to);     /* moves it to another scope */

/* tensor.c */
tg_tensor *tg_nil(void); /* the tensor without elements */
tg_tensor *tg_tensor_on(tg_scope *s, tg_storage *storage, tg_dtype dtype, int rank, const int64_t *dim);
tg_tensor *tg_leaf(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim); /* with memory, not zeroed */
/* The size of such a tensor in bytes.  Fails, naming `who`, on a bad dtype, rank or dim, or if int64_t overflows. */
bool tg_size_of(tg_scope *s, const char *who, tg_dtype dtype, int rank, const int64_t *dim, size_t *bytes);

/* apply.c */
bool tg_need(tg_scope *s, tg_tensor *t);  /* t will be read: records its call again if its value was released */
tg_call *tg_append(const tg_call *c);     /* appends a copy to the record; NULL: its scope has failed */
void tg_uncount_savers(const tg_call *c); /* backward no longer reads the values that c saves */

/* read.c */
void tg_drop_shown(tg_storage *t);

/* master.c */
void *tg_edit_split(tg_scope *s, tg_tensor *t);    /* tg_edit of a split weight */
void tg_copy_split(const tg_tensor *t, float *to); /* its FP32 values */
void tg_settle_edit(tg_storage *t);                /* splits the values that tg_edit's caller wrote, if there are any */

/* autocast.c */
void tg_cast_inputs(tg_scope *s, tg_call *c); /* by the operator's rule */

/* gradient.c */
bool tg_adopt_grad(tg_scope *s, tg_tensor *leaf, tg_tensor *g); /* g becomes the gradient of leaf, which has none */

/* frame.c */
int32_t tg_frame_now(const tg_program *p); /* the frame of tensors created now: 0 in user code */
/* The open module: "layer1.0.conv1"; "": none, or during a run or a backward. */
const char *tg_where_now(const tg_program *p);
bool tg_frame_open(const tg_program *p, int32_t frame);

/* lib/run/run.c: the door by which resetting a scope reaches the steps of a run (tg_run, in run.h, is the other) */
void tg_drop_failed(tg_program *p); /* drops the pending calls of failed scopes, as if never recorded */

/* packs.c */
void tg_note_repacked(tg_storage *t); /* an update has written the packs in use */
void tg_drop_packs(tg_storage *t);

/* fault.c */
struct tg_fault {
    int64_t task; /* the lowest task that reported a fault; INT64_MAX: none */
    char message[256];
};
bool tg_faulted(const tg_fault *fault);

static inline bool tg_writes(const tg_call *c, int k) { return c->in[k] && (c->op->writes & TG_BIT(k)); }
/* The index of the first input (output) at or after k that is not NULL; n_in (n_out): none. */
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
