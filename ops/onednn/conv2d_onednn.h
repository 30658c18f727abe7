/* conv2d_onednn.h - what the files of oneDNN's convolutions share. */
#ifndef TG_CONV2D_ONEDNN_H
#define TG_CONV2D_ONEDNN_H
#include "attr.h"
#include "onednn_cache.h"

/* One of the three passes over a convolution from x to y, in which gradients play the parts of what they are of. */
typedef struct {
    tg_onednn_build *build;
    tg_onednn_shape (*shape)(const tg_call *c); /* option: TG_CONV_BIAS if there is one */
} tg_conv_pass;
extern const tg_conv_pass tg_conv_forward_pass; /* of conv2d, conv2d_relu */
extern const tg_conv_pass tg_conv_grad_x_pass;  /* of conv2d_grad_x; and conv_transpose2d, with its bias */
extern const tg_conv_pass tg_conv_grad_w_pass;  /* of conv2d_grad_w */
/* Of tg_onednn_shape.option; the last: plans that may depend on the number of threads are refused. */
enum { TG_CONV_BIAS = 1, TG_CONV_RELU = 2, TG_CONV_WINOGRAD = 4, TG_CONV_BF16 = 8, TG_CONV_SAME_BITS = 16 };

/* The bodies of kernels; option: bits to add to those of the pass's shape.  Kernels for f32 and for bf16 are two: they
 * have different places among the kernels of an operator. */
const char *tg_conv_reject(const tg_call *c, const tg_conv_pass *pass, int64_t option); /* all but f32 */
const char *tg_conv_reject_but_bf16(const tg_call *c, const tg_conv_pass *pass);
/* All but groups, forward and backward-data, in f32 and bf16: there oneDNN is faster than most own kernels, and no sum
 * depends on the number of threads. */
const char *tg_conv_reject_but_groups(const tg_call *c, const tg_conv_pass *pass);
#define TG_ONEDNN_BF16_HEAD .name = "onednn_bf16", .backend = "onednn", .isa = TG_ISA_AVX512
tg_onednn_lease *tg_conv_lease(const tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault);
bool tg_conv_prepare(tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault);

/* Why Winograd's algorithm is not for this call; NULL: it is worth a try. */
const char *tg_conv_winograd_unfit(const tg_call *c, const tg_conv_pass *pass);

/* ---- for the passes ---- */
tg_onednn_shape tg_conv_shape(const tg_tensor *x, const tg_tensor *y, const tg_tensor *bias,
                              const tg_conv2d_attr *attr);
tg_window tg_conv_window(const tg_onednn_shape *s);

/* Slots: as they lie in our tensors, images as nhwc, weights as [out, kh, kw, in / groups]; and as oneDNN may choose.
 * It may choose the weights' format always: a call reorders them, for they change in every step.  Images it gets as
 * they are, unless Winograd's algorithm needs another format. */
typedef struct {
    int x, y, w, any_x, any_y, any_w, any_gw;
} tg_conv_slots; /* any_gw: f32, the others of one dtype */
typedef struct {
    tg_place place;
    int k;
} tg_conv_part;
tg_conv_slots tg_conv_memory(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_part x, tg_conv_part y,
                             tg_conv_part w);
/* The forward convolution on these slots; bias: its slot, or -1.  NULL: the plan has failed. */
dnnl_primitive_desc_t tg_conv_forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at, int bias);
void tg_conv_want_same_bits(tg_onednn_plan *plan, const tg_onednn_shape *s, dnnl_primitive_desc_t pd);
#endif
