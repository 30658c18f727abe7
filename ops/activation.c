/* activation.c - leaky_relu, sigmoid, tanh, gelu, silu, hardswish, each with its derivative as an operator.  See ops.h.
 * relu has a file of its own. */
#include "check.h"
#include "kernels.h"

/* The kernels of x, and the operator x_grad(gy, v), where v is what backward saves: y if y alone gives the slope. */
#define ACTIVATION(x, bytes) \
    TG_VECTOR_DECLARE(x##_vector) \
    TG_VECTOR_DECLARE(x##_grad_vector) \
    extern const tg_kernel x##_ref, x##_grad_ref; \
    const tg_op tg_##x##_grad_op = { \
        .name = #x "_grad", \
        .n_in = 2, \
        .n_out = 1, \
        .attr_size = bytes, \
        .infer = tg_infer_zip, \
        .kernels = TG_KERNELS(TG_VECTOR(x##_grad_vector), &x##_grad_ref), \
    };

ACTIVATION(leaky_relu, sizeof(tg_leaky_relu_attr))
ACTIVATION(sigmoid, 0)
ACTIVATION(tanh, 0)
ACTIVATION(gelu, 0)
ACTIVATION(silu, 0)
ACTIVATION(hardswish, 0)

static tg_tensor *grad(tg_scope *s, const tg_op *op, tg_tensor *gy, tg_tensor *v, const void *attr)
{
    return tg_apply(s, op, (tg_tensor *const[]){ gy, v }, attr);
}

/* ---- x > 0 ? x : slope x ---- */

static void leaky_relu_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_leaky_relu_grad_op, gout[0], c->in[0], c->attr);
}

const tg_op tg_leaky_relu_op = {
    .name = "leaky_relu",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .attr_size = sizeof(tg_leaky_relu_attr),
    .infer = tg_infer_map,
    .backward = leaky_relu_backward,
    .remade_by = &tg_leaky_relu_op,
    .kernels = TG_KERNELS(TG_VECTOR(leaky_relu_vector), &leaky_relu_ref),
};

tg_tensor *tg_leaky_relu(tg_scope *s, tg_tensor *x, double slope)
{
    return tg_apply(s, &tg_leaky_relu_op, &x, &(tg_leaky_relu_attr){ slope });
}

/* ---- y = 1 / (1 + e^-x): y (1 - y) ---- */

static void sigmoid_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_sigmoid_grad_op, gout[0], c->out[0], NULL);
}

const tg_op tg_sigmoid_op = {
    .name = "sigmoid",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = sigmoid_backward,
    .remade_by = &tg_sigmoid_op,
    .kernels = TG_KERNELS(TG_VECTOR(sigmoid_vector), &sigmoid_ref),
};

tg_tensor *tg_sigmoid(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_sigmoid_op, &x, NULL); }

/* ---- y = tanh x: 1 - y^2 ---- */

static void tanh_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_tanh_grad_op, gout[0], c->out[0], NULL);
}

const tg_op tg_tanh_op = {
    .name = "tanh",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = tanh_backward,
    .remade_by = &tg_tanh_op,
    .kernels = TG_KERNELS(TG_VECTOR(tanh_vector), &tanh_ref),
};

tg_tensor *tg_tanh(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_tanh_op, &x, NULL); }

/* ---- x Phi(x), Phi the normal distribution: Phi(x) + x Phi'(x) ---- */

static void gelu_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_gelu_grad_op, gout[0], c->in[0], NULL);
}

const tg_op tg_gelu_op = {
    .name = "gelu",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = gelu_backward,
    .remade_by = &tg_gelu_op,
    .kernels = TG_KERNELS(TG_VECTOR(gelu_vector), &gelu_ref),
};

tg_tensor *tg_gelu(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_gelu_op, &x, NULL); }

/* ---- x f, f = sigmoid x: f (1 + x (1 - f)) ---- */

static void silu_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_silu_grad_op, gout[0], c->in[0], NULL);
}

const tg_op tg_silu_op = {
    .name = "silu",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = silu_backward,
    .remade_by = &tg_silu_op,
    .kernels = TG_KERNELS(TG_VECTOR(silu_vector), &silu_ref),
};

tg_tensor *tg_silu(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_silu_op, &x, NULL); }

/* ---- x min(max(x + 3, 0), 6) / 6: 0 up to -3, 1 from 3 on, (2 x + 3) / 6 between ---- */

static void hardswish_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = grad(s, &tg_hardswish_grad_op, gout[0], c->in[0], NULL);
}

const tg_op tg_hardswish_op = {
    .name = "hardswish",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = hardswish_backward,
    .remade_by = &tg_hardswish_op,
    .kernels = TG_KERNELS(TG_VECTOR(hardswish_vector), &hardswish_ref),
};

tg_tensor *tg_hardswish(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_hardswish_op, &x, NULL); }
