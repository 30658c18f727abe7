/* op.h - operators and kernels, for those who write them.
 *
 * An operator is a const struct: shape inference, derivative, kernels, and the chains of calls starting with it that
 * can be fused.  Operators of users are the same as those of the library.  tg_apply checks and records a call, which
 * runs when its result is needed.  So `infer` sees shapes but no values, and `backward` records further calls instead
 * of computing. */
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

typedef struct tg_call { /* an application of an operator */
    const tg_op *op;
    tg_tensor *in[TG_MAX_IN];   /* NULL: an optional input was omitted */
    tg_tensor *out[TG_MAX_OUT]; /* NULL: an optional output is not needed */
    const void *attr;           /* a copy of the attributes, which hold no pointers and no batch size */
    /* private */
    uint32_t in_version[TG_MAX_IN];
    tg_scope *scope;
    const char *where; /* the module that made the call, "layer1.0.conv1", or "" */
    uint32_t segment;  /* of tg_checkpoint, or 0 */
    bool taped, walked, again;
    bool lazy; /* runs only if its result is read (shown.h) */
    /* in a run: */
    const tg_kernel *kernel;
    void *state, *scratch;    /* set by the kernel's prepare; planned memory */
    tg_packing *packing;      /* of the input that the kernel reads packed, or NULL */
    struct tg_call *epilogue; /* the next call, if it runs on out[0] task by task, or NULL */
    bool is_epilogue;
    const char *name; /* of the public function that made the call if it differs from the operator's, or NULL */
} tg_call;

typedef enum { TG_CAST_BF16, TG_CAST_F32, TG_CAST_WIDEST } tg_cast_to; /* widest: f32 if any is f32 */

struct tg_op {
    const char *name;
    int8_t n_in, n_out;           /* including optional ones */
    uint16_t optional_in;         /* a bit mask, as those below: inputs that may be NULL */
    uint16_t optional_out;        /* outputs that are computed only if needed (indices, statistics) */
    uint16_t saves_in, saves_out; /* inputs and outputs that `backward` may read */
    uint16_t writes;              /* inputs that it modifies, which must be leaves; it has no backward */
    uint16_t casts;               /* inputs that autocast casts to cast_to */
    tg_cast_to cast_to;
    bool commutes; /* in[0] and in[1] may be exchanged: a rule looks for its link in both */
    bool alias;    /* out[0] is in[0] with another shape (tg_alias): nothing is computed */
    size_t attr_size;
    /* Checks the inputs, including every index in the attributes, and sets c->out with tg_make or tg_alias; or calls
     * tg_fail with the operator's name (tg_called), what was got and what was wanted.  The module's path is prepended.
     */
    void (*infer)(tg_scope *s, tg_call *c);
    /* Records calls that compute gin[k] from gout[] (NULL: no gradient).  gin[k] may stay NULL, and may have the
     * broadcast shape or another dtype: backward accumulates, un-broadcasts and casts.  NULL: not differentiable. */
    void (*backward)(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[]);
    const tg_kernel *const *kernels; /* NULL-terminated, best first; the last, ref, accepts every call */
    const tg_rule *const *rules;     /* NULL-terminated; chains that begin here, longest first; may be NULL */
    /* An operator that recomputes out[0], bit for bit, from this one's inputs followed by its outputs 1, 2 ... (as many
     * as it reads) and attributes, at about the cost of reading and writing the tensors.  A run may then recompute a
     * large value for backward instead of keeping it.  NULL: none. */
    const tg_op *remade_by;
    double (*flops)(const tg_call *c); /* of matrix products, for the trace and for cost estimates; may be NULL */
};

/* Memory that is read next, which a kernel may prefetch while it computes. */
typedef struct {
    int n;
    struct {
        const char *at;
        int64_t bytes;
    } piece[2 * TG_MAX_IN];
} tg_ahead;

typedef struct { /* a part of a call, which one worker computes */
    int phase;
    int64_t index;      /* 0 <= index < tasks(call, phase) */
    int step;           /* the worker's next task is probably index + step */
    int worker;         /* 0 <= worker < tg_threads(); results must not depend on it */
    void *scratch;      /* of this worker, 64-byte aligned */
    void *shared;       /* of the call, for all workers and phases, 64-byte aligned */
    const void *packed; /* the input named by the kernel's `layout`, packed; 64-byte aligned */
    tg_fault *fault;
    const tg_ahead *ahead; /* that the call's epilogue reads (lib/run/epilogue.c), or NULL */
} tg_task;

typedef struct {
    size_t shared, worker;
} tg_scratch; /* bytes for the call; bytes for each worker */

/* A packed layout in which kernels read weights: panels, tiles.  A weight prepared by tg_optimize keeps its packed
 * copies, which updates write along with it; other weights are packed into scratch before each call.  `key` is what the
 * layout depends on besides the weight's shape (groups, strides), never the batch size. */
enum { TG_LAYOUT_KEY = 8, TG_LAYOUT_ROWS = 16 };
typedef struct tg_layout {
    const char *name;
    size_t (*bytes)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY]);
    /* Packs rows [r0, r1) of w's first axis into `to`, including padding; r0 is a multiple of TG_LAYOUT_ROWS, and so is
     * r1 unless it is the number of rows.  Calls for different rows may run concurrently. */
    void (*pack)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to);
} tg_layout;

struct tg_kernel {       /* an implementation of an operator */
    const char *name;    /* "ref", "onednn", "vector_avx512" */
    const char *backend; /* as in TG_BACKEND: ref, vector, brgemm, openblas, onednn */
    tg_isa isa;          /* the lowest instruction set that it runs on */
    /* Why it cannot run this call; NULL: it can.  A NULL function accepts every call. */
    const char *(*reject)(const tg_call *c);
    /* Sets c->state (to a plan, a primitive) before the run starts and before scratch, layout, tasks and makes are
     * called; may allocate (tg_keep_state).  False after tg_fault_say if it cannot.  May be NULL. */
    bool (*prepare)(tg_call *c, tg_fault *fault);
    tg_scratch (*scratch)(const tg_call *c); /* may be NULL */
    /* The layout in which `run` reads an input, which input, and the key (zeroed before).  NULL function or result:
     * none. */
    const tg_layout *(*layout)(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY]);
    /* The number of tasks of a phase, which must depend on shapes only, never on the number of threads.  0: no such
     * phase.  NULL function: run is called once, outside of any parallel region (libraries with their own threads). */
    int64_t (*tasks)(const tg_call *c, int phase);
    /* makes: task i of the last phase writes elements [i makes, (i + 1) makes) of out[0] and nothing else.  takes: task
     * i of the only phase reads the same range of in[k].  Such kernels never fault on data.  A call with `takes` can
     * then run on each task's result of a call with `makes` while it is in the cache (lib/run/epilogue.c).  0 or a NULL
     * function: tasks do not work that way. */
    int64_t (*makes)(const tg_call *c);
    int64_t (*takes)(const tg_call *c, int k);
    /* Computes a task.  Must not allocate or print. */
    void (*run)(const tg_call *c, const tg_task *task);
    bool in_place; /* out[0] may share the memory of an input of the same size that is not needed afterwards */
    bool repacks;  /* run calls tg_repack for all rows of in[0], which it modifies */
};

struct tg_rule { /* replaces a chain of calls, each reading out[0] of the one before, by one call */
    const tg_op *chain[TG_MAX_CHAIN + 1];
    const tg_op *fused; /* its inputs: those of chain[0], then those of each link but the linking one, in order ... */
    uint32_t drops;     /* ... except these, a bit mask */
    struct {
        int8_t link, out;
    } emit[TG_MAX_OUT];                         /* fused out[k] is chain[link]'s out[out] */
    int8_t n_emit;                              /* the rule applies only if no other output of the chain is needed */
    int8_t attr_of;                             /* the link whose attributes the fused call has */
    bool (*fits)(const tg_call *const chain[]); /* checks attributes and dtypes; NULL: always true */
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

/* The recorded call of which t is an output; NULL if t is a leaf or NULL. */
const tg_call *tg_made_by(const tg_tensor *t);

/* Records a call; in[] has op->n_in entries, attr op->attr_size bytes, which are copied.  Returns out[0]: a tensor
 * without elements if s has failed or the operator has no outputs. */
tg_tensor *tg_apply(tg_scope *s, const tg_op *op, tg_tensor *const in[], const void *attr);
tg_tensor *tg_output(tg_tensor *first, int k); /* out[k] of the call that made `first`, or a tensor without elements */

/* ---- for infer ---- */
/* The name for messages: of the public function that the program called. */
static inline const char *tg_called(const tg_call *c) { return !c ? "" : c->name || !c->op ? c->name : c->op->name; }
tg_tensor *tg_make(tg_scope *s, tg_dtype dtype, int rank,
                   const int64_t *dim); /* an output; fails if its size overflows */
tg_tensor *tg_make_like(tg_scope *s, const tg_tensor *t);
tg_tensor *tg_alias(tg_scope *s, tg_tensor *t, int rank, const int64_t *dim); /* the same elements in another shape */
/* These fail with "op: in[k] has dtype bf16, want f32" and the like, or return true. */
bool tg_want_rank(tg_scope *s, const tg_call *c, int k, int rank, const char *axes); /* axes: "[n, h, w, c]" */
bool tg_want_dtype(tg_scope *s, const tg_call *c, int k, tg_dtype dtype);
bool tg_want_same_shape(tg_scope *s, const tg_call *c, int a, int b);
bool tg_same_shape(const tg_tensor *a, const tg_tensor *b);

/* ---- for kernels ---- */
void *tg_ptr(const tg_tensor *t); /* the bytes of an input or output; NULL for a NULL tensor */
/* An element of any dtype as a double, for ref kernels. */
double tg_get(const tg_tensor *t, int64_t i);
void tg_set(const tg_tensor *t, int64_t i, double value);
/* Packs rows [r0, r1) of w into the packed copies that it keeps; rows as in tg_layout. */
void tg_repack(const tg_tensor *w, int64_t r0, int64_t r1);
/* Rows of w's first axis per task of packing or updating: a multiple of TG_LAYOUT_ROWS, about 16384 elements. */
int64_t tg_rows_of_task(const tg_tensor *w);
/* Rows per task for a kernel that computes t by rows, such that an update can be its epilogue: a multiple of
 * tg_rows_of_task, for about 16 tasks; 0: there would be fewer than 8. */
int64_t tg_rows_to_make(const tg_tensor *t);
/* For prepare: makes c->state a copy of these bytes, which lasts as long as the run.  False after tg_fault_say if there
 * is no memory. */
bool tg_keep_state(tg_call *c, const void *state, size_t bytes, tg_fault *fault);
/* Reports invalid data (a class out of range), without the operator's name, which the run prepends.  The message of the
 * lowest task wins; the run stops, and no parameter is modified. */
void tg_fault_say(tg_fault *fault, int64_t task, const char *format, ...) TG_PRINTF(3, 4);

/* ---- operators that the core itself needs ---- */
extern const tg_op tg_add_op, tg_sum_to_op, tg_accumulate_op, tg_fill_op, tg_copy_op, tg_cast_op, tg_detach_op;
tg_tensor *tg_add(tg_scope *s, tg_tensor *a, tg_tensor *b);                    /* broadcasts as in NumPy */
tg_tensor *tg_sum_to(tg_scope *s, tg_tensor *x, int rank, const int64_t *dim); /* sums over broadcast axes */
tg_tensor *tg_fill(tg_scope *s, double value, int rank, const int64_t *dim);   /* f32; computed when run */
tg_tensor *tg_cast(tg_scope *s, tg_tensor *x, tg_dtype dtype);
tg_tensor *tg_detach(tg_scope *s, tg_tensor *x); /* the same elements, without gradient */
/* If any of in[0] to in[n - 1] is f32, casts those of bf16 to f32. */
void tg_promote(tg_scope *s, tg_tensor *in[], int n);
/* The broadcast shape of two tensors; false if their shapes are incompatible. */
bool tg_broadcast(const tg_tensor *a, const tg_tensor *b, int *rank, int64_t dim[TG_MAX_RANK]);

#ifdef __cplusplus
}
#endif
#endif
