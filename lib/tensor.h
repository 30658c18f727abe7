/* tensor.h - contiguous, row-major arrays.  The shape is the memory.
 *
 * Images are [n, h, w, c] (channels last), convolution weights [out, kh, kw, in], linear weights [out, in].
 * A tensor lives in the scope it was made in.  Tensors made by operators have no memory until someone reads them;
 * those made here are leaves: they have memory at once, and only they can be written. */
#ifndef TG_TENSOR_H
#define TG_TENSOR_H
#include "dtype.h"
#include "scope.h"
#ifdef __cplusplus
extern "C" {
#endif

#define TG_MAX_RANK 8

typedef struct tg_tensor tg_tensor;
struct tg_tensor {
    tg_dtype dtype;                     /* read only */
    int      rank;
    int64_t  dim[TG_MAX_RANK];
    /* the core's own */
    bool       needs_grad;
    bool       lent;                    /* a leaf's gradient: an update empties it, so calls get handles of their own */
    uint32_t   walk;                    /* number of the last backward that reached it */
    struct tg_storage    *storage;
    const struct tg_call *made;         /* the call that made it; NULL: a leaf */
    tg_tensor *grad, *walk_grad;        /* a leaf's gradient; the gradient within walk number `walk` */
    tg_tensor *twin;                    /* what a checkpointed segment made in its place */
    tg_tensor *cast;                    /* of a leaf: autocast's cast of it, in the life of a scope, of a version */
    uint64_t   cast_life;
    uint32_t   cast_version;
};

/* ---- making leaves; all return a tensor without elements if s has failed ---- */
tg_tensor *tg_zeros(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim);
tg_tensor *tg_full (tg_scope *s, double value, int rank, const int64_t *dim);               /* f32 */
tg_tensor *tg_from (tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, const void *data);   /* copies */
tg_tensor *tg_from_nchw(tg_scope *s, int64_t n, int64_t c, int64_t h, int64_t w, const float *data);   /* to [n,h,w,c] */
/* f32, uniform in [low, high): never high itself, unless low == high, where each element is low.  Errors: low > high,
 * bounds that are not finite in f32, or a range without an f32 number. */
tg_tensor *tg_rand (tg_scope *s, double low, double high, int rank, const int64_t *dim);
tg_tensor *tg_randn(tg_scope *s, double mean, double deviation, int rank, const int64_t *dim);   /* normal; deviation >= 0 */
/* A leaf over memory that somebody else owns; it must stay valid and unchanged until release(owner) is called, which
 * happens when s is reset.  release may be NULL. */
tg_tensor *tg_borrow(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, void *data,
                     void (*release)(void *), void *owner);
/* A leaf in `outer` with the values that t has now: what is to outlive t's scope, or to go to another tree (the only
 * function that takes a thing of another tree).  Runs what t needs.  Of a bf16 weight
 * with an FP32 master (master.h) the master is copied, to f32. */
tg_tensor *tg_copy(tg_scope *outer, tg_tensor *t);
/* Marks a leaf so that tg_backward leaves its gradient in it.  Returns t. */
tg_tensor *tg_require_grad(tg_scope *s, tg_tensor *t);

/* ---- reading and writing numbers.  Of a tensor that is NULL there are none: 0, NULL, NaN ---- */
int64_t     tg_count(const tg_tensor *t);      /* number of elements */
/* The numbers, valid until the reset of t's scope; runs what is pending.  NULL after a failure. */
const void *tg_data(tg_tensor *t);
double      tg_item(tg_tensor *t);             /* the number of a tensor with one element, NaN after a failure */
/* The door for writing a leaf by hand.  What was recorded before sees the old numbers, what comes after the new ones.
 * The pointer is valid until t is next the input of an operator.  NULL after a failure.  Of a bf16 weight with an FP32
 * master (master.h) it shows the master. */
void       *tg_edit(tg_scope *s, tg_tensor *t);
tg_tensor  *tg_grad(const tg_tensor *t);       /* a leaf's gradient, or NULL if there is none */
void        tg_clear_grad(tg_tensor *t);       /* drops it */

/* "[2, 3, 4]" in `text`, which is returned. */
typedef struct { char text[TG_MAX_RANK * 22 + 3]; } tg_shape_text;
const char *tg_shape(const tg_tensor *t, tg_shape_text *buffer);

#define TG_DIM(...) ((const int64_t[]){ __VA_ARGS__ })
#ifdef __cplusplus
}
#endif
#endif
