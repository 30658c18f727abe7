/* ops.h - every operator, with its formula.  Formulas and defaults are PyTorch's, on channels-last tensors.
 *
 * Each function checks shapes and dtypes at once, records the call and returns a tensor of the scope s; it returns a
 * tensor without elements if s has failed.  Inputs come from s, or a scope above it.  Unless said otherwise tensors are
 * f32 or bf16, the result has its input's dtype, and an operator is differentiable in all of its float inputs.  Sums
 * are in FP32; a bf16 result is rounded once.  Where bf16 meets f32 in operators of two operands it becomes f32; losses
 * are f32 always; parameters and statistics of normalisations, and the gradients of leaves, too.  NULL is allowed only
 * where it is mentioned.
 * Denormals (below 1.2e-38 in magnitude) count as 0 while operators run: on them processors are up to 100 times slower,
 * and tiles have none.  So log(softmax(x)) is -inf where x lies 88 or more below the largest (log_softmax is not), and
 * relu passes no gradient where x is a denormal.
 * n = images, h, w = lines and columns, c = channels. */
#ifndef TG_OPS_H
#define TG_OPS_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- element by element, two operands broadcast as in NumPy (tg_add is in op.h) ---- */
tg_tensor *tg_sub(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a - b */
tg_tensor *tg_mul(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a b */
tg_tensor *tg_div(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a / b */

/* ---- element by element ---- */
tg_tensor *tg_affine(tg_scope *s, tg_tensor *x, double scale, double shift); /* scale x + shift */
tg_tensor *tg_neg(tg_scope *s, tg_tensor *x);                                /* -x */
tg_tensor *tg_exp(tg_scope *s, tg_tensor *x);                                /* e^x */
tg_tensor *tg_log(tg_scope *s, tg_tensor *x);                                /* ln x */
tg_tensor *tg_sqrt(tg_scope *s, tg_tensor *x);                               /* x^(1/2) */
tg_tensor *tg_pow(tg_scope *s, tg_tensor *x, double exponent);               /* x^exponent */
tg_tensor *tg_relu(tg_scope *s, tg_tensor *x); /* max(x, 0); a NaN stays NaN, and passes its gradient */
tg_tensor *tg_leaky_relu(tg_scope *s, tg_tensor *x, double slope); /* x > 0 ? x : slope x  (PyTorch: slope 0.01) */
tg_tensor *tg_sigmoid(tg_scope *s, tg_tensor *x);                  /* 1 / (1 + e^-x) */
tg_tensor *tg_tanh(tg_scope *s, tg_tensor *x);                     /* tanh x */
tg_tensor *tg_gelu(tg_scope *s, tg_tensor *x);                     /* x (1 + erf(x / sqrt 2)) / 2 */
tg_tensor *tg_silu(tg_scope *s, tg_tensor *x);                     /* x sigmoid(x) */
tg_tensor *tg_hardswish(tg_scope *s, tg_tensor *x);                /* x min(max(x + 3, 0), 6) / 6 */
/* Training scopes: each element is 0 with probability p, else x / (1 - p).  Others: x itself.  0 <= p < 1. */
tg_tensor *tg_dropout(tg_scope *s, tg_tensor *x, double p);

/* ---- matrix products ---- */
/* a[.., m, k] b[.., k, n] -> [.., m, n]; leading axes broadcast.  With a flag, the last two axes count as exchanged. */
typedef struct {
    bool transpose_a, transpose_b;
} tg_matmul_config;
tg_tensor *tg_matmul(tg_scope *s, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_matmul_with(tg_scope *s, tg_tensor *a, tg_tensor *b, tg_matmul_config config);
/* x[.., in] w[out, in] b[out] or NULL -> x w^T + b [.., out] */
tg_tensor *tg_linear(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b);

/* ---- convolution.  Pairs are {vertical, horizontal}; strides, dilations and groups of 0 mean 1 ---- */
typedef struct {
    int stride[2], pad[2], dilation[2], groups;
} tg_conv2d_config;
/* x[n,h,w,in] w[out,kh,kw,in/groups] b[out] or NULL -> [n,oh,ow,out],
 * oh = (h + 2 pad - dilation (kh - 1) - 1) / stride + 1, rounded down.  A cross-correlation, as everywhere.
 * 3x3 with stride 1 and many channels may run by Winograd's algorithm, which makes 4x4 outputs of 6x6 pixels, or 2x2 of
 * 4x4.  Its error, below 2e-6 of max |x| sum |w|, is relative to the largest of these pixels, not of the nine under the
 * kernel: beside a pixel of 1e6 among numbers around 1, outputs that do not see it are off by up to 0.3 sum |w|.
 * TG_WINOGRAD=0 in the environment: sums as the definition has them. */
tg_tensor *tg_conv2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b, tg_conv2d_config config);
/* Its transpose: x[n,h,w,in] w[in,kh,kw,out/groups] b[out] or NULL -> [n,oh,ow,out],
 * oh = (h - 1) stride - 2 pad + dilation (kh - 1) + output_pad + 1; output_pad < max(stride, dilation). */
typedef struct {
    int stride[2], pad[2], dilation[2], output_pad[2], groups;
} tg_conv_transpose2d_config;
tg_tensor *tg_conv_transpose2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b,
                               tg_conv_transpose2d_config config);

/* ---- pooling over x[n,h,w,c].  A stride of 0 means the kernel's size ---- */
typedef struct {
    int kernel[2], stride[2], pad[2];
    bool exclude_pad;
} tg_pool2d_config; /* pad <= kernel / 2 */
tg_tensor *tg_max_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config);
/* Padding counts as zeros, unless exclude_pad (PyTorch's count_include_pad = False). */
tg_tensor *tg_avg_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config);
/* [n,oh,ow,c]: window i covers lines i h / oh (rounded down) to (i + 1) h / oh (rounded up). */
tg_tensor *tg_adaptive_avg_pool2d(tg_scope *s, tg_tensor *x, int oh, int ow);

/* ---- normalisation ---- */
/* x[n,h,w,c] gamma[c] beta[c].  (x - mean) / sqrt(var + eps) gamma + beta.  In a training scope mean and var are the
 * batch's, by channel, and the running ones become (1 - momentum) running + momentum batch (var unbiased);
 * elsewhere mean and var are the running ones (scope.h shows how they can be within a training step, too).  Both
 * running ones NULL: the batch's always, and nothing is tracked.  eps 0 means 1e-5, momentum 0 means 0.1; TG_ZERO
 * (tensor.h) is 0: with momentum 0 the running ones stay as they are, with eps 0 a channel of equal values has no
 * finite result. */
typedef struct {
    float eps, momentum;
} tg_batch_norm2d_config;
tg_tensor *tg_batch_norm2d(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, tg_tensor *running_mean,
                           tg_tensor *running_var, tg_batch_norm2d_config config);
/* Over the last axes of x, those of gamma and beta (of one shape; either may be NULL; both: the last axis).
 * eps 0: 1e-5; TG_ZERO: 0. */
tg_tensor *tg_layer_norm(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, double eps);

/* ---- along an axis (negative ones count from the end) ---- */
tg_tensor *tg_softmax(tg_scope *s, tg_tensor *x, int axis);     /* e^x / sum e^x */
tg_tensor *tg_log_softmax(tg_scope *s, tg_tensor *x, int axis); /* x - ln sum e^x */
typedef struct {
    int n, axis[TG_MAX_RANK];
    bool keep;
} tg_axes; /* n = 0: all axes; keep: they stay, as 1 */
tg_tensor *tg_sum(tg_scope *s, tg_tensor *x, tg_axes axes);
tg_tensor *tg_mean(tg_scope *s, tg_tensor *x, tg_axes axes);
tg_tensor *tg_max(tg_scope *s, tg_tensor *x, tg_axes axes); /* ties share the gradient equally */
tg_tensor *tg_argmax(tg_scope *s, tg_tensor *x, int axis);  /* i64, without the axis: the first NaN, or of equals */

/* ---- losses ---- */
typedef enum { TG_MEAN, TG_SUM, TG_NONE } tg_reduction;
/* logits[.., classes], target[..] of i64, i32 or u8: mean of -log_softmax(logits)[target].  A class out of range is an
 * error when it runs; -100 is left out of the mean. */
tg_tensor *tg_cross_entropy(tg_scope *s, tg_tensor *logits, tg_tensor *target);
typedef struct {
    tg_tensor *weight;     /* [classes] or NULL: the weight of a class, also in the mean's denominator */
    float label_smoothing; /* 0 <= e < 1: target 1 - e + e / classes, others e / classes */
    bool ignore;           /* leave ignore_index out instead of -100 */
    int64_t ignore_index;
    tg_reduction reduction;
} tg_cross_entropy_config;
tg_tensor *tg_cross_entropy_with(tg_scope *s, tg_tensor *logits, tg_tensor *target, tg_cross_entropy_config config);
tg_tensor *tg_nll_loss(tg_scope *s, tg_tensor *log_probability, tg_tensor *target, tg_cross_entropy_config config);
tg_tensor *tg_mse(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction); /* (x - target)^2 */
tg_tensor *tg_l1(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction);  /* |x - target| */
/* max(x, 0) - x target + ln(1 + e^-|x|) */
tg_tensor *tg_bce_with_logits(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction);

/* ---- shape ---- */
tg_tensor *tg_reshape(tg_scope *s, tg_tensor *x, int rank, const int64_t *dim); /* one dim may be -1; shares memory */
/* [n, ..] -> [n, features]; [n,h,w,c] gives c h w features in PyTorch's order (channels first). */
tg_tensor *tg_flatten(tg_scope *s, tg_tensor *x);
tg_tensor *tg_permute(tg_scope *s, tg_tensor *x, const int *axes); /* out axis i is x's axis axes[i] */
tg_tensor *tg_transpose(tg_scope *s, tg_tensor *x, int a, int b);
tg_tensor *tg_concat(tg_scope *s, tg_tensor *const *list, int n, int axis);
tg_tensor *tg_slice(tg_scope *s, tg_tensor *x, int axis, int64_t start, int64_t end); /* [start, end) of an axis */
/* before[i] and after[i] (>= 0) elements of `value` around axis i. */
tg_tensor *tg_pad(tg_scope *s, tg_tensor *x, const int64_t *before, const int64_t *after, double value);
/* x[n,h,w,c] to [n,oh,ow,c]; align_corners as PyTorch's (bilinear only). */
typedef struct {
    int oh, ow;
    bool bilinear, align_corners;
} tg_upsample_config;
tg_tensor *tg_upsample(tg_scope *s, tg_tensor *x, tg_upsample_config config);

/* ---- all of them, for `tilegrad kernels` and the tests ---- */
const tg_op *const *tg_operators(void); /* NULL-terminated */

#ifdef __cplusplus
}
#endif
#endif
