/* upsample.c - resizes images by nearest neighbour or bilinearly. See ops.h. */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(upsample_vector)
TG_VECTOR_DECLARE(upsample_grad_vector)
extern const tg_kernel upsample_ref, upsample_grad_ref;

static bool upsample_want_images(tg_scope *s, const tg_call *c, const int64_t size[2])
{
    const tg_upsample_attr *a = c->attr;
    if (!tg_want_float(s, c, 0) || !tg_want_rank(s, c, 0, 4, "[n, h, w, c]")) return false;
    if (a->out[0] < 1 || a->out[1] < 1)
        tg_fail(s, "%s: size %lld x %lld, want at least 1 x 1", c->op->name, (long long)a->out[0],
                (long long)a->out[1]);
    else if (c->in[0]->dim[1] != size[0] || c->in[0]->dim[2] != size[1])
        tg_fail(s, "%s: images of %lld x %lld, want %lld x %lld", c->op->name, (long long)c->in[0]->dim[1],
                (long long)c->in[0]->dim[2], (long long)size[0], (long long)size[1]);
    else if (a->align_corners && !a->bilinear) tg_fail(s, "%s: align_corners is for bilinear only", c->op->name);
    return tg_ok(s);
}

static void upsample_infer_from(tg_scope *s, tg_call *c, const int64_t from[2], const int64_t to[2])
{
    const int64_t *d = c->in[0]->dim;
    if (upsample_want_images(s, c, from)) c->out[0] = tg_make(s, c->in[0]->dtype, 4, TG_DIM(d[0], to[0], to[1], d[3]));
}

static void upsample_infer(tg_scope *s, tg_call *c)
{
    const tg_upsample_attr *a = c->attr;
    upsample_infer_from(s, c, a->image, a->out);
}

static void upsample_grad_infer(tg_scope *s, tg_call *c)
{
    const tg_upsample_attr *a = c->attr;
    upsample_infer_from(s, c, a->out, a->image);
}

static void upsample_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_upsample_grad_op, gout, c->attr);
}

const tg_op tg_upsample_op = {
    .name = "upsample",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_upsample_attr),
    .infer = upsample_infer,
    .backward = upsample_backward,
    .kernels = TG_KERNELS(TG_VECTOR(upsample_vector), &upsample_ref),
};

const tg_op tg_upsample_grad_op = {
    .name = "upsample_grad",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_upsample_attr),
    .infer = upsample_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(upsample_grad_vector), &upsample_grad_ref),
};

tg_tensor *tg_upsample(tg_scope *s, tg_tensor *x, tg_upsample_config config)
{
    tg_upsample_attr a = {
        .out = { config.oh, config.ow },
        .bilinear = config.bilinear,
        .align_corners = config.align_corners,
    };
    if (x && x->rank == 4) a.image[0] = x->dim[1], a.image[1] = x->dim[2];
    return tg_apply(s, &tg_upsample_op, &x, &a);
}
