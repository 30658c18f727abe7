/* tensor.h - contiguous, row-major arrays.  The shape is the memory.
 *
 * Images are [n, h, w, c] (channels last), convolution weights [out, kh, kw, in], linear weights [out, in].
 * A tensor lives in the scope it was made in.  Tensors made by operators have no memory until someone reads them;
 * those made here are leaves: they have memory at once, and only they can be written. */
#ifndef TG_TENSOR_H
#define TG_TENSOR_H
#include "dtype.h"
#include "scope.h"

/* Sizes in an argument: tg_zeros(s, TG_F32, 2, TG_DIM(3, 4)).  In C they live as long as the block around them, in C++
 * until the end of the statement. */
#ifdef __cplusplus
template <int n> struct tg_dims {
    int64_t dim[n ? n : 1];
    operator const int64_t *() const { return dim; }
};
template <typename... sizes> tg_dims<int(sizeof...(sizes))> tg_dims_of(sizes... dim)
{
    return { { static_cast<int64_t>(dim)... } };
}
#define TG_DIM(...) tg_dims_of(__VA_ARGS__)
#else
#define TG_DIM(...) ((const int64_t[]){ __VA_ARGS__ })
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TG_MAX_RANK 8

typedef struct tg_tensor {
    tg_dtype dtype; /* read only, as is all of it */
    int rank;
    int64_t dim[TG_MAX_RANK];
    /* the library's own */
    struct tg_storage *storage;
    struct tg_node *node; /* NULL: made by a run for itself */
} tg_tensor;

/* ---- making leaves; all return a tensor without elements if s has failed ---- */
tg_tensor *tg_zeros(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim);
tg_tensor *tg_full(tg_scope *s, double value, int rank, const int64_t *dim);                         /* f32 */
tg_tensor *tg_from(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, const void *data);     /* copies */
tg_tensor *tg_from_nchw(tg_scope *s, int64_t n, int64_t c, int64_t h, int64_t w, const float *data); /* to [n,h,w,c] */
/* f32, uniform in [low, high): never high itself, unless low == high, where each element is low.  Errors: low > high,
 * bounds that are not finite in f32, or a range without an f32 number. */
tg_tensor *tg_rand(tg_scope *s, double low, double high, int rank, const int64_t *dim);
/* normal; deviation >= 0 */
tg_tensor *tg_randn(tg_scope *s, double mean, double deviation, int rank, const int64_t *dim);
/* A leaf over memory that somebody else owns; it must stay valid and unchanged until release(owner) is called, which
 * happens when s is reset.  release may be NULL. */
tg_tensor *tg_borrow(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, void *data, void (*release)(void *),
                     void *owner);
/* A leaf in `outer` with the values that t has now: what is to outlive t's scope, or to go to another tree (the only
 * function that takes a thing of another tree).  Runs what t needs.  Of a bf16 weight
 * with an FP32 master (master.h) the master is copied, to f32. */
tg_tensor *tg_copy(tg_scope *outer, tg_tensor *t);
/* Marks a leaf so that tg_backward leaves its gradient in it.  Returns t. */
tg_tensor *tg_require_grad(tg_scope *s, tg_tensor *t);
/* Whether a gradient flows to t: it is such a leaf, or made from one outside of tg_no_grad.  False for NULL. */
bool tg_needs_grad(const tg_tensor *t);

/* ---- reading and writing numbers.  Of a tensor that is NULL there are none: 0, NULL, NaN ---- */
int64_t tg_count(const tg_tensor *t); /* number of elements */
/* The elements, valid until the reset of t's scope; runs what is pending.  NULL for a NULL tensor and after a failure.
 * tg_f32 reads f32 and bf16, which it converts (of a weight with an FP32 master, master.h, it reads the master); tg_i64
 * reads i64, i32, u8 and i8.  Another dtype fails t's scope.  What is converted are the values of this moment, in
 * memory that t keeps: the next call for t or a tensor that shares its memory writes there again. */
const float *tg_f32(tg_tensor *t);
const int64_t *tg_i64(tg_tensor *t);
/* The same as they lie in memory, in t->dtype, which tg_optimize may have changed to bf16. */
const void *tg_data(tg_tensor *t);
double tg_item(tg_tensor *t); /* the number of a tensor with one element, NaN after a failure */
/* The door for writing a leaf by hand.  What was recorded before sees the old numbers, what comes after the new ones.
 * The pointer is valid until t is next the input of an operator.  NULL after a failure.  Of a bf16 weight with an FP32
 * master (master.h) it shows the master. */
void *tg_edit(tg_scope *s, tg_tensor *t);
tg_tensor *tg_grad(const tg_tensor *t); /* a leaf's gradient, or NULL if there is none */
void tg_clear_grad(tg_tensor *t);       /* drops it */

/* "[2, 3, 4]" in `text`, which is returned. */
typedef struct {
    char text[TG_MAX_RANK * 22 + 3];
} tg_shape_text;
const char *tg_shape(const tg_tensor *t, tg_shape_text *buffer);

/* In a config a zeroed field means the default that its comment names.  TG_ZERO in such a field is the number 0:
 * (tg_adam_config){ .lr = 0.01f, .beta1 = TG_ZERO }.  (It is the negative number of the least magnitude that is no
 * denormal.)  Where a zeroed field is just 0, TG_ZERO is, too. */
#define TG_ZERO (-1.17549435e-38f)
/* What a field says: the default for 0, 0 for TG_ZERO, else itself.  For configs of one's own. */
double tg_or_default(double field, double otherwise);

#ifdef __cplusplus
}
#endif
#endif
