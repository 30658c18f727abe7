/* conv2d_onednn.h - shared by oneDNN's convolution kernels. */
#ifndef TG_CONV2D_ONEDNN_H
#define TG_CONV2D_ONEDNN_H
#include "attr.h"
#include "onednn_cache.h"

/* One of the three passes over a convolution from x to y. Gradients take the roles of what they are gradients of. */
typedef struct {
    tg_onednn_build *build;
    tg_onednn_shape (*shape)(const tg_call *c); /* option: TG_CONV_BIAS if there is one */
} tg_conv_pass;
extern const tg_conv_pass tg_conv_forward_pass; /* of conv2d, conv2d_relu */
extern const tg_conv_pass tg_conv_grad_x_pass;  /* of conv2d_grad_x; and conv_transpose2d, with its bias */
extern const tg_conv_pass tg_conv_grad_w_pass;  /* of conv2d_grad_w */
/* Bits of tg_onednn_shape.option; the last refuses plans that may depend on the number of threads. */
enum { TG_CONV_BIAS = 1, TG_CONV_RELU = 2, TG_CONV_WINOGRAD = 4, TG_CONV_BF16 = 8, TG_CONV_SAME_BITS = 16 };

/* The bodies of kernels; option: bits to add to the pass's shape. f32 and bf16 have separate kernels because they rank
 * differently in an operator's list. */
const char *tg_conv_reject(const tg_call *c, const tg_conv_pass *pass, int64_t option); /* all but f32 */
const char *tg_conv_reject_but_bf16(const tg_call *c, const tg_conv_pass *pass);
/* Rejects all but grouped convolutions, forward and backward-data, in f32 and bf16: there oneDNN is faster than most of
 * our own kernels, and no sum depends on the number of threads. */
const char *tg_conv_reject_but_groups(const tg_call *c, const tg_conv_pass *pass);
#define TG_ONEDNN_BF16_HEAD .name = "onednn_bf16", .backend = "onednn", .isa = TG_ISA_AVX512
tg_onednn_lease *tg_conv_lease(const tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault);
bool tg_conv_prepare(tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault);

/* Why Winograd's algorithm does not suit this call; NULL: worth trying. */
const char *tg_conv_winograd_unfit(const tg_call *c, const tg_conv_pass *pass);

/* ---- for the passes ---- */
tg_onednn_shape tg_conv_shape(const tg_tensor *x, const tg_tensor *y, const tg_tensor *bias,
                              const tg_conv2d_attr *attr);
tg_window tg_conv_window(const tg_onednn_shape *s);

/* Slots in our tensors' formats, images as nhwc, weights as [out, kh, kw, in / groups]; and in oneDNN's choice. It may
 * always choose the weights' format: a call reorders them anyway, as they change in every step. Images are passed as
 * they are, unless Winograd's algorithm needs another format. */
typedef struct {
    int x, y, w, any_x, any_y, any_w, any_gw;
} tg_conv_slots; /* any_gw: f32; the others share one dtype */
typedef struct {
    tg_place place;
    int k;
} tg_conv_part;
tg_conv_slots tg_conv_memory(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_part x, tg_conv_part y,
                             tg_conv_part w);
/* The forward convolution on these slots; bias: its slot, or -1. NULL: the plan has failed. */
dnnl_primitive_desc_t tg_conv_forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at, int bias);
void tg_conv_want_same_bits(tg_onednn_plan *plan, const tg_onednn_shape *s, dnnl_primitive_desc_t pd);
#endif
