/* op.h - what an operator is: the page that an author of operators reads.
 *
 * An operator is a const struct: a rule for shapes, a derivative, a list of kernels, and the chains of calls that
 * begin with it and can be fused.  Built-in and user-defined operators are the same.  tg_apply only checks and records
 * a call; it runs when somebody needs numbers.  So `infer` sees shapes, never values, and `backward` records further
 * calls instead of computing. */
#ifndef TG_OP_H
#define TG_OP_H
#include "cpu.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { TG_MAX_IN = 10, TG_MAX_OUT = 6, TG_MAX_CHAIN = 4 };
#define TG_BIT(k) (1u << (k))

typedef struct tg_op tg_op;
typedef struct tg_kernel tg_kernel;
typedef struct tg_rule tg_rule;
typedef struct tg_fault tg_fault;
typedef struct tg_packing tg_packing;

typedef struct tg_call { /* one application of one operator */
    const tg_op *op;
    tg_tensor *in[TG_MAX_IN];   /* NULL: an optional input that is not given */
    tg_tensor *out[TG_MAX_OUT]; /* NULL: an optional output that nobody wants */
    const void *attr;           /* a copy of the attributes: no pointers, no batch sizes in them */
    /* the core's own */
    uint32_t in_version[TG_MAX_IN];
    tg_scope *scope;
    const char *where; /* "layer1.0.conv1": the module that made the call, or "" */
    uint32_t segment;  /* of tg_checkpoint, or 0 */
    bool taped, walked, again;
    bool lazy;                /* runs only if somebody reads its result (shown.h) */
    const tg_kernel *kernel;  /* in a run: the kernel chosen ... */
    void *state, *scratch;    /* ... what its prepare left, its planned scratch ... */
    tg_packing *packing;      /* ... the input that it reads in another layout, or NULL ... */
    struct tg_call *epilogue; /* ... and the call, the next one, that takes out[0] from its tasks, or NULL */
    bool is_epilogue;
    const char *name; /* the public function that made it, if that has another name than op; or NULL */
} tg_call;

typedef enum { TG_CAST_BF16, TG_CAST_F32, TG_CAST_WIDEST } tg_cast_to; /* widest: f32 if one of them is f32 */

struct tg_op {
    const char *name;
    int8_t n_in, n_out; /* at most; inputs in `optional_in` may be NULL */
    uint16_t optional_in;
    uint16_t optional_out;        /* outputs computed only if somebody wants them (indices, statistics) */
    uint16_t saves_in, saves_out; /* inputs and outputs that `backward` may read, besides gradients */
    uint16_t writes;              /* inputs that it changes: an effect.  No backward; such inputs are leaves */
    uint16_t casts;               /* inputs that autocast brings to one dtype ... */
    tg_cast_to cast_to;           /* ... to this */
    bool commutes;                /* a rule may find its link in in[0] or in[1] */
    bool alias;                   /* out[0] is in[0] in another shape (tg_alias): nothing is computed */
    size_t attr_size;
    /* Checks the inputs, fills c->out with tg_make or tg_alias, or calls tg_fail, beginning with the operator's name
     * (tg_called) and saying what was got and what was wanted; the module's path is put in front of it.  Every index
     * that attributes give is checked here. */
    void (*infer)(tg_scope *s, tg_call *c);
    /* Records the calls that compute gin[k] from gout[] (NULL where no gradient came).  gin[k] may stay NULL, and may
     * have a broadcast shape: summing, un-broadcasting and casting are done by the walk.  NULL: not differentiable. */
    void (*backward)(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[]);
    const tg_kernel *const *kernels; /* NULL-terminated, best first; the last (ref) accepts everything */
    const tg_rule *const *rules;     /* NULL-terminated chains that begin here, longest first; may be NULL */
    /* The operator that makes the bits of out[0] again, from this one's inputs followed by its outputs 1, 2, .. (as
     * many as it reads), with this one's attributes: said where that costs about what reading and writing the tensors
     * does. A run may make a large value twice instead of keeping it for backward.  NULL: no. */
    const tg_op *remade_by;
    double (*flops)(const tg_call *c); /* of products, for the trace and for what is worth it; may be NULL */
};

/* Memory that will be read soon, in pieces: a kernel may fetch it into the cache while it computes. */
typedef struct {
    int n;
    struct {
        const char *at;
        int64_t bytes;
    } piece[2 * TG_MAX_IN];
} tg_ahead;

typedef struct { /* one piece of work of a kernel */
    int phase;
    int64_t index;      /* 0 <= index < tasks(call, phase) */
    int step;           /* the worker's next task is probably index + step */
    int worker;         /* 0 <= worker < tg_threads(): never let results depend on it */
    void *scratch;      /* this worker's bytes, 64-byte aligned */
    void *shared;       /* the call's bytes, 64-byte aligned, for all workers and phases */
    const void *packed; /* the input that the kernel's `layout` names, packed; 64-byte aligned */
    tg_fault *fault;
    const tg_ahead *ahead; /* what the call's epilogue reads next (lib/run/epilogue.c), or NULL */
} tg_task;

typedef struct {
    size_t shared, worker;
} tg_scratch; /* bytes of a call; bytes of each worker */

/* A form in which kernels read weights: panels, tiles.  A weight that tg_optimize prepared keeps its packed forms, and
 * updates write them with the weight; another weight's is made in scratch before each call that reads it.  `key` holds
 * what the form depends on besides the weight's shape (groups, strides), never the batch. */
enum { TG_LAYOUT_KEY = 8, TG_LAYOUT_ROWS = 16 };
typedef struct tg_layout {
    const char *name;
    size_t (*bytes)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY]);
    /* Writes what rows r0 <= r < r1 of w (of its first axis) put into `to`, paddings included; r0 is a multiple of
     * TG_LAYOUT_ROWS, r1 too or the number of rows.  Calls for different rows may run at the same time. */
    void (*pack)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to);
} tg_layout;

struct tg_kernel {       /* one way to compute an operator */
    const char *name;    /* "ref", "onednn", "vector_avx512" */
    const char *backend; /* what TG_BACKEND calls it: ref, vector, openblas, onednn */
    tg_isa isa;          /* the least instruction set it needs */
    /* NULL: it can run this call; else why not, in words.  NULL function: it can run all. */
    const char *(*reject)(const tg_call *c);
    /* Builds what the call needs (a primitive) into c->state before anything runs; false: not possible, with
     * tg_fault_say.  May allocate.  May be NULL. */
    bool (*prepare)(tg_call *c, tg_fault *fault);
    tg_scratch (*scratch)(const tg_call *c); /* may be NULL */
    /* The input that run wants packed, in which layout, with which key (zeroed before).  NULL function or result: none.
     */
    const tg_layout *(*layout)(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY]);
    /* Cuts the problem of a phase into tasks, by its shape only, never by the number of threads.  0: no such phase.
     * NULL function: run is called once, outside of any parallel region (libraries with their own threads). */
    int64_t (*tasks)(const tg_call *c, int phase);
    /* How many consecutive numbers of out[0] a task of the last phase makes, of which nothing else is written: those of
     * task i begin with number i * makes.  And, of a kernel with but one phase, how many of in[k] a task reads, in the
     * same way.  Kernels that say so find no fault with data.  Then a task of the one may run on what a task of another
     * has made, while it is in the cache (epilogue.c).  0 or a NULL function: tasks are otherwise. */
    int64_t (*makes)(const tg_call *c);
    int64_t (*takes)(const tg_call *c, int k);
    /* Computes one task.  No allocation, no policy, no printing. */
    void (*run)(const tg_call *c, const tg_task *task);
    bool in_place; /* out[0] may lie in the memory of an input of its size that dies here */
    bool repacks;  /* of an effect: run calls tg_repack for all rows of in[0], which it writes */
};

struct tg_rule { /* a chain of calls, each reading out[0] of the one before, becomes one call */
    const tg_op *chain[TG_MAX_CHAIN + 1];
    const tg_op *fused; /* its inputs: chain[0]'s, then each link's but the linking one, in order, ... */
    uint32_t drops;     /* ... without those of them that it can do without */
    struct {
        int8_t link, out;
    } emit[TG_MAX_OUT]; /* fused out[k] is chain[link]'s out[out] */
    int8_t n_emit;      /* any output of the chain that is not emitted must be wanted by nobody */
    int8_t attr_of;     /* the link whose attributes the fused call gets */
    bool (*fits)(const tg_call *const chain[]); /* attributes, dtypes; NULL: always */
};

#ifdef __cplusplus
#define TG_LIST(type, ...) \
    ([]() -> const type *const * { \
        static const type *const list[] = { __VA_ARGS__, nullptr }; \
        return list; \
    }())
#else
#define TG_LIST(type, ...) ((const type *const[]){ __VA_ARGS__, NULL })
#endif
#define TG_KERNELS(...) TG_LIST(tg_kernel, __VA_ARGS__)
#define TG_RULES(...)   TG_LIST(tg_rule, __VA_ARGS__)

/* The call of which t is an output, as it was recorded; NULL: t is a leaf, or NULL. */
const tg_call *tg_made_by(const tg_tensor *t);

/* Records one call; in[] has op->n_in entries, attr op->attr_size bytes (copied).  Returns out[0]; without elements if
 * s has failed, or for an operator without outputs. */
tg_tensor *tg_apply(tg_scope *s, const tg_op *op, tg_tensor *const in[], const void *attr);
tg_tensor *tg_output(tg_tensor *first, int k); /* out[k] of the call that made `first`; no elements if there is none */

/* ---- for infer ---- */
/* What messages call it: the public function that a program called. */
static inline const char *tg_called(const tg_call *c) { return !c ? "" : c->name || !c->op ? c->name : c->op->name; }
tg_tensor *tg_make(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim); /* an output; fails on overflow */
tg_tensor *tg_make_like(tg_scope *s, const tg_tensor *t);
tg_tensor *tg_alias(tg_scope *s, tg_tensor *t, int rank, const int64_t *dim); /* the same numbers, the same count */
/* Fails with "op: in[k] has dtype bf16, want f32" and the like; true if all is well. */
bool tg_want_rank(tg_scope *s, const tg_call *c, int k, int rank, const char *axes); /* axes: "[n, h, w, c]" */
bool tg_want_dtype(tg_scope *s, const tg_call *c, int k, tg_dtype dtype);
bool tg_want_same_shape(tg_scope *s, const tg_call *c, int a, int b);
bool tg_same_shape(const tg_tensor *a, const tg_tensor *b);

/* ---- for kernels ---- */
void *tg_ptr(const tg_tensor *t); /* the bytes of an input or output; NULL for a NULL tensor */
/* One element as a number, whatever the dtype: what ref kernels are written with. */
double tg_get(const tg_tensor *t, int64_t i);
void tg_set(const tg_tensor *t, int64_t i, double value);
/* Writes rows r0 <= r < r1 of w, as they are now, into the packed forms that w keeps; rows as in tg_layout. */
void tg_repack(const tg_tensor *w, int64_t r0, int64_t r1);
/* Rows of w's first axis that one task packs or updates: whole TG_LAYOUT_ROWS, about 16384 elements. */
int64_t tg_rows_of_task(const tg_tensor *w);
/* Rows for a kernel that makes t by rows, so that an update of its shape can take them: a multiple of that, for about
 * 16 tasks; 0: there would be less than 8. */
int64_t tg_rows_to_make(const tg_tensor *t);
/* Says that the *data* are wrong (a class out of range), without the operator's name, which the run adds; the lowest
 * task's message wins, the run stops, and nothing lasting is written. */
void tg_fault_say(tg_fault *fault, int64_t task, const char *format, ...) TG_PRINTF(3, 4);

/* ---- operators that the core itself needs ---- */
extern const tg_op tg_add_op, tg_sum_to_op, tg_accumulate_op, tg_fill_op, tg_copy_op, tg_cast_op, tg_detach_op;
tg_tensor *tg_add(tg_scope *s, tg_tensor *a, tg_tensor *b);                    /* broadcasts as NumPy does */
tg_tensor *tg_sum_to(tg_scope *s, tg_tensor *x, int rank, const int64_t *dim); /* sums broadcast axes away */
tg_tensor *tg_fill(tg_scope *s, double value, int rank, const int64_t *dim);   /* f32, as a call */
tg_tensor *tg_cast(tg_scope *s, tg_tensor *x, tg_dtype dtype);
tg_tensor *tg_detach(tg_scope *s, tg_tensor *x); /* the same numbers, no gradient through it */
/* Where f32 and bf16 meet in in[0..n), those of bf16 are cast to f32. */
void tg_promote(tg_scope *s, tg_tensor *in[], int n);
/* The shape of two shapes broadcast against each other; false if they do not fit. */
bool tg_broadcast(const tg_tensor *a, const tg_tensor *b, int *rank, int64_t dim[TG_MAX_RANK]);

#ifdef __cplusplus
}
#endif
#endif
