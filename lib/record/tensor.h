/* tensor.h - tensors: contiguous, row-major arrays of up to 8 axes.
 *
 * Images are [n, h, w, c] (channels last), convolution weights [out, kh, kw, in], linear weights [out, in].
 * A tensor belongs to the scope it was created in.  Results of operators get memory when they are first needed; the
 * tensors created here are leaves, which have memory from the start and are the only ones that can be written to. */
#ifndef TG_TENSOR_H
#define TG_TENSOR_H
#include "dtype.h"
#include "scope.h"

/* A shape as an argument: tg_zeros(s, TG_F32, 2, TG_DIM(3, 4)).  In C it lives as long as the enclosing block, in C++
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
    tg_dtype dtype; /* read only, as are rank and dim */
    int rank;
    int64_t dim[TG_MAX_RANK];
    /* private */
    struct tg_storage *storage;
    struct tg_node *node; /* NULL: a temporary of a run */
} tg_tensor;

/* ---- creating leaves; all return a tensor without elements if s has failed ---- */
tg_tensor *tg_zeros(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim);
tg_tensor *tg_full(tg_scope *s, double value, int rank, const int64_t *dim);                         /* f32 */
tg_tensor *tg_from(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, const void *data);     /* copies data */
tg_tensor *tg_from_nchw(tg_scope *s, int64_t n, int64_t c, int64_t h, int64_t w, const float *data); /* as [n,h,w,c] */
/* f32, uniform in [low, high); all elements are low if low == high.  Errors: low > high, bounds that are not finite in
 * f32, a range that contains no f32 number. */
tg_tensor *tg_rand(tg_scope *s, double low, double high, int rank, const int64_t *dim);
/* f32, normally distributed; deviation >= 0 */
tg_tensor *tg_randn(tg_scope *s, double mean, double deviation, int rank, const int64_t *dim);
/* A leaf over memory of the caller's, which must stay valid and unchanged until release(owner) is called, when s is
 * reset.  release may be NULL. */
tg_tensor *tg_borrow(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, void *data, void (*release)(void *),
                     void *owner);
/* A leaf in `outer` with the present values of t, for values that are to outlive t's scope or to move to another tree
 * (no other function accepts a tensor of another tree).  Computes t if need be.  For a bf16 weight with an FP32 master
 * (master.h) the result is the master, in f32. */
tg_tensor *tg_copy(tg_scope *outer, tg_tensor *t);
/* Makes tg_backward compute a gradient for a leaf, which tg_grad then returns.  Returns t. */
tg_tensor *tg_require_grad(tg_scope *s, tg_tensor *t);
/* True if backward reaches t: a leaf that requires a gradient, or a result computed from one in a scope with grad.
 * False for NULL. */
bool tg_needs_grad(const tg_tensor *t);

/* ---- reading and writing elements; for a NULL tensor these return 0, NULL or NaN ---- */
int64_t tg_count(const tg_tensor *t); /* number of elements */
/* The elements, valid until t's scope is reset; runs pending calls.  NULL for a NULL tensor and after a failure.
 * tg_f32 reads f32 and converts bf16 (for a weight with an FP32 master, master.h, it returns the master); tg_i64 reads
 * i64, i32, u8 and i8.  Other dtypes fail t's scope.  Converted values are a snapshot in a buffer of t's, which the
 * next call for t, or for a tensor that shares its memory, overwrites. */
const float *tg_f32(tg_tensor *t);
const int64_t *tg_i64(tg_tensor *t);
/* The elements as stored, in t->dtype, which tg_optimize may have changed to bf16. */
const void *tg_data(tg_tensor *t);
double tg_item(tg_tensor *t); /* the value of a tensor with one element; NaN after a failure */
/* For writing to a leaf.  Calls recorded before see the old values, later calls the new ones.  The pointer is valid
 * until t is next used as an input.  NULL after a failure.  For a bf16 weight with an FP32 master (master.h) it points
 * to the master. */
void *tg_edit(tg_scope *s, tg_tensor *t);
tg_tensor *tg_grad(const tg_tensor *t); /* a leaf's gradient; NULL: none */
void tg_clear_grad(tg_tensor *t);       /* frees it */

/* Writes "[2, 3, 4]" into the buffer and returns its text. */
typedef struct {
    char text[TG_MAX_RANK * 22 + 3];
} tg_shape_text;
const char *tg_shape(const tg_tensor *t, tg_shape_text *buffer);

/* A zeroed field of a config means the default that its comment names.  TG_ZERO in such a field means 0:
 * (tg_adam_config){ .lr = 0.01f, .beta1 = TG_ZERO }.  (It is the smallest negative normal number.)  Fields whose
 * default is 0 accept it as well. */
#define TG_ZERO (-1.17549435e-38f)
/* The value of a config's field: `otherwise` for 0, 0 for TG_ZERO, else the field.  For configs of your own. */
double tg_or_default(double field, double otherwise);

#ifdef __cplusplus
}
#endif
#endif
