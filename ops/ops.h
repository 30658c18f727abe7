/* ops.h - every operator, with its formula.  Formulas and defaults are PyTorch's, on channels-last tensors.
 *
 * Each function checks shapes and dtypes, records the call and returns its result, a tensor of the scope s, or a tensor
 * without elements if s has failed.  Inputs belong to s or an ancestor of it.  NULL is allowed only where mentioned.
 * Unless stated otherwise, inputs are f32 or bf16, the result has the dtype of the input, and the operator is
 * differentiable with respect to all its floating-point inputs.
 *
 * Precision: sums are accumulated in FP32, and a bf16 result is rounded once.  If one of two operands is bf16 and the
 * other f32, the result is f32.  Losses, the parameters and statistics of normalisations, and the gradients of leaves
 * are always f32.
 *
 * Denormals (magnitudes below 1.2e-38) are treated as 0 while operators run: processors are up to 100 times slower on
 * them, and AMX flushes them anyway.  So log(softmax(x)) is -inf where x is 88 or more below the maximum (log_softmax
 * is not), and relu passes no gradient where x is a denormal.
 *
 * In shapes n is the number of images, h and w are height and width, c is the number of channels. */
#ifndef TG_OPS_H
#define TG_OPS_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- elementwise, on two operands that broadcast as in NumPy (tg_add is in op.h) ---- */
tg_tensor *tg_sub(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a - b */
tg_tensor *tg_mul(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a b */
tg_tensor *tg_div(tg_scope *s, tg_tensor *a, tg_tensor *b); /* a / b */

/* ---- elementwise ---- */
tg_tensor *tg_affine(tg_scope *s, tg_tensor *x, double scale, double shift); /* scale x + shift */
tg_tensor *tg_neg(tg_scope *s, tg_tensor *x);                                /* -x */
tg_tensor *tg_exp(tg_scope *s, tg_tensor *x);                                /* e^x */
tg_tensor *tg_log(tg_scope *s, tg_tensor *x);                                /* ln x */
tg_tensor *tg_sqrt(tg_scope *s, tg_tensor *x);                               /* x^(1/2) */
tg_tensor *tg_pow(tg_scope *s, tg_tensor *x, double exponent);               /* x^exponent */
tg_tensor *tg_relu(tg_scope *s, tg_tensor *x);                     /* max(x, 0); propagates NaN, whose gradient is 1 */
tg_tensor *tg_leaky_relu(tg_scope *s, tg_tensor *x, double slope); /* x > 0 ? x : slope x  (PyTorch: slope 0.01) */
tg_tensor *tg_sigmoid(tg_scope *s, tg_tensor *x);                  /* 1 / (1 + e^-x) */
tg_tensor *tg_tanh(tg_scope *s, tg_tensor *x);                     /* tanh x */
tg_tensor *tg_gelu(tg_scope *s, tg_tensor *x);                     /* x (1 + erf(x / sqrt 2)) / 2 */
tg_tensor *tg_silu(tg_scope *s, tg_tensor *x);                     /* x sigmoid(x) */
tg_tensor *tg_hardswish(tg_scope *s, tg_tensor *x);                /* x min(max(x + 3, 0), 6) / 6 */
/* min(max(x, low), high).  A NaN stays NaN; the gradient passes where low <= x <= high, so at a NaN it is 0. */
tg_tensor *tg_clamp(tg_scope *s, tg_tensor *x, double low, double high);
tg_tensor *tg_relu6(tg_scope *s, tg_tensor *x); /* x clamped to 0..6; the gradient is 0 at 0 and 6, and passes a NaN */
/* In training scopes each element is 0 with probability p, else x / (1 - p); in others x.  0 <= p < 1. */
tg_tensor *tg_dropout(tg_scope *s, tg_tensor *x, double p);

/* ---- matrix products ---- */
/* a[.., m, k] b[.., k, n] -> [.., m, n]; leading axes broadcast.  The flags transpose the last two axes first. */
typedef struct {
    bool transpose_a, transpose_b;
} tg_matmul_config;
tg_tensor *tg_matmul(tg_scope *s, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_matmul_with(tg_scope *s, tg_tensor *a, tg_tensor *b, tg_matmul_config config);
/* x[.., in] w[out, in] b[out] or NULL -> x w^T + b [.., out] */
tg_tensor *tg_linear(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b);

/* ---- convolutions; pairs are {vertical, horizontal}; a stride, dilation or groups of 0 means 1 ---- */
typedef struct {
    int stride[2], pad[2], dilation[2], groups;
} tg_conv2d_config;
/* x[n,h,w,in] w[out,kh,kw,in/groups] b[out] or NULL -> [n,oh,ow,out],
 * oh = (h + 2 pad - dilation (kh - 1) - 1) / stride + 1, rounded down.  A cross-correlation, as in other frameworks.
 * A 3x3 convolution with stride 1 and many channels may be computed by Winograd's algorithm, which computes 4x4 outputs
 * from 6x6 pixels, or 2x2 from 4x4.  Its error, below 2e-6 max |x| sum |w|, is relative to the largest of these pixels
 * instead of the nine under the kernel: next to a pixel of 1e6, outputs whose own pixels are around 1 are off by up to
 * 0.3 sum |w|.  TG_WINOGRAD=0 in the environment disables it. */
tg_tensor *tg_conv2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b, tg_conv2d_config config);
/* The transposed convolution: x[n,h,w,in] w[in,kh,kw,out/groups] b[out] or NULL -> [n,oh,ow,out],
 * oh = (h - 1) stride - 2 pad + dilation (kh - 1) + output_pad + 1; output_pad < max(stride, dilation). */
typedef struct {
    int stride[2], pad[2], dilation[2], output_pad[2], groups;
} tg_conv_transpose2d_config;
tg_tensor *tg_conv_transpose2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b,
                               tg_conv_transpose2d_config config);

/* ---- pooling of x[n,h,w,c]; a stride of 0 means the size of the kernel ---- */
typedef struct {
    int kernel[2], stride[2], pad[2];
    bool exclude_pad;
} tg_pool2d_config; /* pad <= kernel / 2 */
tg_tensor *tg_max_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config);
/* The mean includes padding, as zeros, unless exclude_pad (PyTorch's count_include_pad = False). */
tg_tensor *tg_avg_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config);
/* [n,oh,ow,c]: window i covers lines i h / oh (rounded down) to (i + 1) h / oh (rounded up). */
tg_tensor *tg_adaptive_avg_pool2d(tg_scope *s, tg_tensor *x, int oh, int ow);

/* ---- normalisation ---- */
/* x[n,h,w,c] gamma[c] beta[c] -> (x - mean) / sqrt(var + eps) gamma + beta.  In a training scope mean and var are those
 * of the batch, per channel, and the running statistics become (1 - momentum) running + momentum batch (with the
 * unbiased variance).  In other scopes mean and var are the running statistics; scope.h shows how to use them within a
 * training step.  If both are NULL, the batch's statistics are always used.  eps 0 means 1e-5, momentum 0 means 0.1.
 * TG_ZERO (tensor.h) means 0: momentum 0 freezes the running statistics; with eps 0 a channel of equal values has no
 * finite result. */
typedef struct {
    float eps, momentum;
} tg_batch_norm2d_config;
tg_tensor *tg_batch_norm2d(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, tg_tensor *running_mean,
                           tg_tensor *running_var, tg_batch_norm2d_config config);
/* Normalises over the last axes of x, which are those of gamma and beta (of the same shape; either may be NULL; if both
 * are, the last axis).  eps 0 means 1e-5, TG_ZERO 0. */
tg_tensor *tg_layer_norm(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, double eps);

/* ---- along axes; negative ones count from the end ---- */
tg_tensor *tg_softmax(tg_scope *s, tg_tensor *x, int axis);     /* e^x / sum e^x */
tg_tensor *tg_log_softmax(tg_scope *s, tg_tensor *x, int axis); /* x - ln sum e^x */
typedef struct {
    int n, axis[TG_MAX_RANK];
    bool keep;
} tg_axes; /* n = 0: all axes; keep: reduced axes stay, with size 1 */
tg_tensor *tg_sum(tg_scope *s, tg_tensor *x, tg_axes axes);
tg_tensor *tg_mean(tg_scope *s, tg_tensor *x, tg_axes axes);
tg_tensor *tg_max(tg_scope *s, tg_tensor *x, tg_axes axes); /* ties share the gradient equally */
tg_tensor *tg_argmax(tg_scope *s, tg_tensor *x,
                     int axis); /* i64, without the axis; of equal values, or NaNs, the first */

/* ---- losses ---- */
typedef enum { TG_MEAN, TG_SUM, TG_NONE } tg_reduction;
/* logits[.., classes], target[..] of i64, i32 or u8 -> the mean of -log_softmax(logits)[target].  Targets of -100 are
 * ignored; other classes out of range are an error when the call runs. */
tg_tensor *tg_cross_entropy(tg_scope *s, tg_tensor *logits, tg_tensor *target);
typedef struct {
    tg_tensor *weight;     /* [classes] or NULL: the weight of each class, also in the denominator of the mean */
    float label_smoothing; /* 0 <= e < 1: the target's share is 1 - e + e / classes, others' e / classes */
    bool ignore;           /* targets of ignore_index are ignored instead of -100 */
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
/* [n, ..] -> [n, features]; the features of [n,h,w,c] are in PyTorch's order, channels first. */
tg_tensor *tg_flatten(tg_scope *s, tg_tensor *x);
tg_tensor *tg_permute(tg_scope *s, tg_tensor *x, const int *axes); /* axis i of the result is axis axes[i] of x */
tg_tensor *tg_transpose(tg_scope *s, tg_tensor *x, int a, int b);
tg_tensor *tg_concat(tg_scope *s, tg_tensor *const *list, int n, int axis);
tg_tensor *tg_slice(tg_scope *s, tg_tensor *x, int axis, int64_t start, int64_t end); /* [start, end) of an axis */
/* Adds before[i] and after[i] (>= 0) elements of `value` to axis i. */
tg_tensor *tg_pad(tg_scope *s, tg_tensor *x, const int64_t *before, const int64_t *after, double value);
/* x[n,h,w,c] -> [n,oh,ow,c]; align_corners is PyTorch's (bilinear only). */
typedef struct {
    int oh, ow;
    bool bilinear, align_corners;
} tg_upsample_config;
tg_tensor *tg_upsample(tg_scope *s, tg_tensor *x, tg_upsample_config config);

/* ---- the list of all operators, of ops.def ---- */
const tg_op *const *tg_operators(void); /* NULL-terminated */

#ifdef __cplusplus
}
#endif
#endif
