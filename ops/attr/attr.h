/* attr.h - attributes of operators, and the operators without a public function: what an operator's file and its
 * kernels agree on. Attributes hold neither pointers nor batch sizes, and are resolved: no zero stands for a default.
 */
#ifndef TG_ATTR_H
#define TG_ATTR_H
#include "ops.h"
#include "random.h"

/* tg_X_op of each operator X, including those without a public function. */
#define TG_OP(name) extern const tg_op tg_##name##_op;
#include "ops.def"
#undef TG_OP

/* ---- conv2d(x[n,h,w,ic], w[oc,kh,kw,ic/g], b[oc]?) -> y[n,oh,ow,oc] ----
 * conv2d_grad_x(gy, w) -> gx[n,h,w,ic]      conv2d_grad_w(gy, x) -> gw     channel_sum(gy[.., c]) -> gb[c]
 * conv2d_relu: conv2d, then relu.
 * conv_transpose2d(x, w[ic,kh,kw,oc/g], b?) is conv2d_grad_x with x for gy, plus b; its gradients are conv2d's. */
typedef struct {
    int stride[2], pad[2], dilation[2], groups;
    int64_t image[2];  /* h, w of x: the gradients' shapes do not follow from oh, ow alone */
    int64_t kernel[2]; /* kh, kw */
} tg_conv2d_attr;      /* one struct for conv2d, conv2d_relu, conv2d_grad_x, conv2d_grad_w, conv_transpose2d
                          (there `image` is that of y, and x plays gy's part) */

/* ---- linear(x[.., in], w[out, in], b[out]?) -> y[.., out]; linear_relu likewise, then relu; no attributes ----
 * linear_grad_x(gy[.., out], w) -> gx       linear_grad_w(gy, x) -> gw[out, in]       bias: channel_sum(gy)
 * matmul(a, b): attr tg_matmul_config; its gradients are matmuls */

/* ---- relu_grad(gy, y) -> y <= 0 ? 0 : gy, so that it passes where y is NaN, here and wherever it is fused
 * relu_grad_channel_sum(gy, y) -> g, sum of g, all but the last axis ---- */

/* ---- pooling; attr of all five ---- */
typedef struct {
    int kernel[2], stride[2], pad[2];
    bool exclude_pad;
    int64_t image[2]; /* h, w of x */
} tg_pool2d_attr;
/* max_pool2d(x) -> y, index[n,oh,ow,c]?: the place a * kw + b of the first maximum in its window, padding counted; a
 *   NaN wins.  u8 for kernels of up to 256 pixels, else i32
 * max_pool2d_grad(gy, index, y) -> gx; y is there for a rule    avg_pool2d(x) -> y          avg_pool2d_grad(gy) -> gx
 * max_pool2d_relu_grad(gy, index, y) -> g, sum of g: max_pool2d_grad's gx of gy, or of 0 where y <= 0; sum: [c], f32 */
/* adaptive_avg_pool2d(x) -> y;  adaptive_avg_pool2d_grad(gy) -> gx */
typedef struct {
    int64_t image[2], out[2];
} tg_adaptive_pool2d_attr;

/* ---- batch normalisation ----
 * batch_norm2d(x, gamma, beta) -> y, mean[2,c], rstd[c] (1 / sqrt(biased var + eps)), var[c]? (unbiased, for tracking)
 *   mean[0] is the mean as f32, mean[1] what rounding took from it: much, where a mean is large beside its deviations
 *   n h w = 1 is an error in infer ("wants more than one value a channel").  Sums must not cancel: combine block
 *   means and squared deviations (Chan et al.), in an order given by the shape.
 * batch_norm2d_grad(gy, x, gamma, mean, rstd, beta) -> gx, ggamma, gbeta (each optional)
 *   beta is there for a rule: batch_norm2d_relu_grad alone reads it, to see where relu passed
 * batch_norm2d_track(running_mean, running_var, mean[2,c], var): an effect on the first two; attr momentum
 * batch_norm2d_eval(x, gamma, beta, running_mean, running_var) -> y;
 * batch_norm2d_eval_grad(gy, x, gamma, running_mean, running_var) -> gx, ggamma, gbeta (each optional)
 * Fused, from rules on batch_norm2d, batch_norm2d_eval, relu_grad and add:
 *   batch_norm2d_relu(x, gamma, beta) -> y, mean, rstd, var?           (y: after relu)
 *   batch_norm2d_add_relu(x, gamma, beta, other) -> y, mean, rstd, var?        relu(bn(x) + other), other of x's shape
 *   batch_norm2d_eval_relu, batch_norm2d_eval_add_relu(.., other) -> y
 *   batch_norm2d_relu_grad(gy, x, gamma, mean, rstd, beta) -> gx, ggamma, gbeta      of relu(bn(x))
 *   relu_grad_batch_norm2d_grad(gy, y, x, gamma, mean, rstd, beta) -> gx, ggamma, gbeta, g? (relu_grad's result)
 *   add_relu_grad_batch_norm2d_grad(gy, other, y, x, gamma, mean, rstd, beta) -> the same, of gy + other (rounded)
 * Made again by a run, with the bits of the first time, from the statistics that were found then:
 *   batch_norm2d_again, batch_norm2d_relu_again(x, gamma, beta, mean, rstd) -> y
 *   batch_norm2d_add_relu_again(x, gamma, beta, other, mean, rstd) -> y */
typedef struct {
    float eps, momentum;
} tg_batch_norm2d_attr; /* of all of these */

/* ---- softmax, losses ----
 * softmax(x) -> y, log_softmax(x) -> y; softmax_grad(gy, y), log_softmax_grad(gy, y) -> gx.  Cross entropy takes
 * logarithms in f32 from bf16 logits, and gives them a gradient in bf16. */
typedef struct {
    int axis;
} tg_axis_attr; /* 0 <= axis < rank; of concat, argmax */
typedef struct {
    int axis;
    tg_dtype dtype;
} tg_softmax_attr; /* dtype of the result, f32 or bf16 */
/* nll_loss(logp[.., c], target[..], weight[c]?) -> loss, total (the mean's denominator: a number)
 * nll_loss_grad(gloss, target, weight?, total) -> glogp
 * Fused: cross_entropy(x, target, weight?) -> loss, total, logp?      (log_softmax over the last axis + nll_loss)
 *        cross_entropy_grad(gloss, target, weight?, total, logp) -> gx  (nll_loss_grad + log_softmax_grad) */
typedef struct {
    float label_smoothing;
    int64_t ignore_index;
    tg_reduction reduction;
    int64_t classes; /* c: the gradient's shape cannot be told from target alone */
    tg_dtype dtype;  /* of cross_entropy's x and cross_entropy_grad's gx; nll_loss is f32 */
} tg_nll_attr;

/* pointwise_loss(x, target) -> the loss of each element;  pointwise_loss_grad(gy, x, target) -> gx, gtarget, each
 * optional */
typedef enum { TG_SQUARED_ERROR, TG_ABSOLUTE_ERROR, TG_BCE_WITH_LOGITS } tg_pointwise_loss;
typedef struct {
    tg_pointwise_loss kind;
} tg_pointwise_loss_attr;

/* ---- layer_norm(x, gamma?, beta?) -> y, mean, rstd (a number for each row of the last `axes` axes) ----
 * layer_norm_grad(gy, x, gamma?, mean, rstd) -> gx, ggamma, gbeta (each optional); mean is rounded to f32, so the
 *   derivative finds in x what rounding took from it */
typedef struct {
    float eps;
    int axes;
} tg_layer_norm_attr;

/* ---- dropout(x) -> y; its derivative is itself, on the gradient: element i is kept if uniform(stream, i) >= p ---- */
typedef struct {
    float p;
    tg_stream stream;
} tg_dropout_attr;

/* ---- increment(x): x += 1, an effect on a counter (PyTorch's num_batches_tracked) ---- */

/* ---- element by element ----
 * sub, mul, div(a, b) and the operators of elementwise.def; the derivatives of those without a _grad are written with
 * mul, div and affine. */
typedef struct {
    double scale, shift;
} tg_affine_attr;
typedef struct {
    double exponent;
} tg_pow_attr;
#define TG_MAP0(name, ...)
#define TG_MAP1(name, p, ...) \
    typedef struct { \
        double p; \
    } tg_##name##_attr; /* of name and name_grad */
#define TG_MAP2(name, p, value, q, ...) \
    typedef struct { \
        double p, q; \
    } tg_##name##_attr;
#include "elementwise.def"

/* ---- along axes ----
 * sum, mean, max(x) -> y; max_grad(gy, x, y) -> gx: gy shared equally by the elements that equal y (y NaN: by the NaNs)
 * argmax(x) -> index (i64), attr tg_axis_attr; the first of equals, a NaN counts as the largest
 * expand(x) -> x repeated along axes of size 1 (and new ones in front) up to the shape given: sum's gradient */
typedef struct {
    uint32_t axes;
    bool keep;
} tg_reduce_attr; /* bit i: over axis i */
typedef struct {
    int rank;
    int64_t dim[TG_MAX_RANK];
} tg_shape_attr;

/* ---- shape; any dtype ----
 * reshape(x), attr tg_shape_attr, where one dim may be -1; permute(x): out axis i is x's axis[i]
 * concat(x0, ..), attr tg_axis_attr; slice(x): [start, end) of an axis
 * pad(x): before[i] and after[i] elements of value around axis i
 * upsample(x) -> y, upsample_grad(gy) -> gx: line i of y is line floor(i h / oh) of x, or for bilinear a mean of two */
typedef struct {
    int rank, axis[TG_MAX_RANK];
} tg_permute_attr;
typedef struct {
    int axis;
    int64_t start, end;
} tg_slice_attr;
typedef struct {
    int rank;
    int64_t before[TG_MAX_RANK], after[TG_MAX_RANK];
    double value;
} tg_pad_attr;
typedef struct {
    int64_t image[2], out[2];
    bool bilinear, align_corners;
} tg_upsample_attr; /* image: h, w of x */
#endif
