/* fuzz_ops.c - the fuzzer's model, and the calls that its steps make. */
#include "fuzz.h"

static const struct {
    const char *name;
    int rank;
    int64_t dim[4];
    bool grad, param;
    double low, high;
} leaves[LEAVES] = {
    [X0] = { "x0", 4, { 2, 4, 4, 4 }, true, false, -1, 1 },
    [X1] = { "x1", 4, { 2, 4, 4, 4 }, false, false, -1, 1 },
    [V] = { "v", 2, { 2, 4 }, false, false, -1, 1 },
    [C] = { "c", 1, { 4 }, true, true, -1, 1 },
    [W3] = { "w3", 4, { 4, 3, 3, 4 }, true, true, -0.3, 0.3 },
    [B3] = { "b3", 1, { 4 }, true, true, -0.3, 0.3 },
    [W1] = { "w1", 4, { 4, 1, 1, 4 }, true, true, -1, 1 },
    [WD] = { "wd", 4, { 4, 3, 3, 1 }, true, true, -0.5, 0.5 },
    [WT] = { "wt", 4, { 4, 2, 2, 4 }, true, true, -0.5, 0.5 },
    [WL] = { "wl", 2, { 4, 4 }, true, true, -1, 1 },
    [BL] = { "bl", 1, { 4 }, true, true, -0.3, 0.3 },
    [GAMMA] = { "gamma", 1, { 4 }, true, true, 0.5, 1.5 },
    [BETA] = { "beta", 1, { 4 }, true, true, -0.5, 0.5 },
    [MEAN] = { "mean", 1, { 4 }, false, false, -0.2, 0.2 },
    [VAR] = { "var", 1, { 4 }, false, false, 0.5, 1.5 },
};

const char *fuzz_leaf_name(int leaf) { return leaves[leaf].name; }
bool fuzz_is_param(int leaf) { return leaves[leaf].param; }
bool fuzz_wants_grad(int leaf) { return leaves[leaf].grad; }

/* ---- calls.  eps is large, so that a channel of equal values does not amplify rounding ---- */
#define FN(name) static tg_tensor *name(fuzz_model *m, tg_scope *s, tg_tensor *a, tg_tensor *b, uint32_t bits)
#define UNUSED   (void)m, (void)s, (void)a, (void)b, (void)bits
#define SIMPLE(name, value) \
    FN(name) \
    { \
        UNUSED; \
        return value; \
    }
#define L(k) m->leaf[k]

static const tg_conv2d_config same = { .pad = { 1, 1 } }, halving = { .stride = { 2, 2 }, .pad = { 1, 1 } };
static const tg_pool2d_config pool2 = { .kernel = { 2, 2 } };

/* Those of elementwise.def that are tame everywhere. */
#define TG_MAP0(name, ...)                       SIMPLE(name##_, tg_##name(s, a))
#define TG_MAP1(name, p, value, ...)             SIMPLE(name##_, tg_##name(s, a, value))
#define TG_MAP2(name, p, value, q, value_q, ...) SIMPLE(name##_, tg_##name(s, a, value, value_q))
#include "elementwise.def"
SIMPLE(relu, tg_relu(s, a))
SIMPLE(neg, tg_neg(s, a))
SIMPLE(affine, tg_affine(s, a, 0.5 + bits % 5 * 0.25, bits % 3 * 0.1))
SIMPLE(detach, tg_detach(s, a))
SIMPLE(dropout, tg_dropout(s, a, bits % 2 ? 0.25 : 0.5))
SIMPLE(add, tg_add(s, a, b))
SIMPLE(sub, tg_sub(s, a, b))
SIMPLE(mul, tg_mul(s, a, b))
SIMPLE(conv3x3, tg_conv2d(s, a, L(W3), bits % 2 ? L(B3) : NULL, same))
SIMPLE(conv1x1, tg_conv2d(s, a, L(W1), bits % 2 ? L(B3) : NULL, (tg_conv2d_config){ .groups = 1 }))
SIMPLE(depthwise, tg_conv2d(s, a, L(WD), NULL, (tg_conv2d_config){ .pad = { 1, 1 }, .groups = 4 }))
SIMPLE(conv_stride2, tg_conv2d(s, a, L(W3), L(B3), halving))
SIMPLE(conv_transpose, tg_conv_transpose2d(s, a, L(WT), L(B3), (tg_conv_transpose2d_config){ .stride = { 2, 2 } }))
SIMPLE(linear, tg_linear(s, a, L(WL), bits % 2 ? L(BL) : NULL))
SIMPLE(matmul, tg_matmul_with(s, a, L(WL), (tg_matmul_config){ .transpose_b = bits % 2 }))
SIMPLE(max_pool, tg_max_pool2d(s, a, pool2))
SIMPLE(max_pool3, tg_max_pool2d(s, a, (tg_pool2d_config){ { 3, 3 }, { 2, 2 }, { 1, 1 }, false }))
SIMPLE(avg_pool, tg_avg_pool2d(s, a, pool2))
SIMPLE(upsample, tg_upsample(s, a, (tg_upsample_config){ 4, 4, bits % 2, false }))
SIMPLE(to_rows, tg_reshape(s, a, 2, TG_DIM(32, 4)))
SIMPLE(to_image, tg_reshape(s, a, 4, TG_DIM(2, 4, 4, 4)))
SIMPLE(flatten, tg_flatten(s, a))
SIMPLE(slice_flat, tg_slice(s, a, 1, bits % 60, bits % 60 + 4))
SIMPLE(mean_hw, tg_mean(s, a, (tg_axes){ 2, { 1, 2 }, false }))
SIMPLE(concat, tg_concat(s, ((tg_tensor *const[]){ a, b }), 2, 3))
SIMPLE(slice_wide, tg_slice(s, a, 3, bits % 5, bits % 5 + 4))
SIMPLE(permute, tg_permute(s, a, ((const int[]){ 0, 2, 1, 3 })))
SIMPLE(softmax, tg_softmax(s, a, -1))
SIMPLE(log_softmax, tg_log_softmax(s, a, -1))
SIMPLE(mean_0, tg_mean(s, a, (tg_axes){ 1, { 0 }, false }))
SIMPLE(max_0, tg_max(s, a, (tg_axes){ 1, { 0 }, false }))
SIMPLE(layer_norm, tg_layer_norm(s, a, L(GAMMA), L(BETA), 0.1))
SIMPLE(mean_all, tg_mean(s, a, (tg_axes){ 0 }))
SIMPLE(mse, tg_mse(s, a, L(X1), TG_MEAN))

static tg_tensor *bn(fuzz_model *m, tg_scope *s, tg_tensor *a)
{
    return tg_batch_norm2d(s, a, L(GAMMA), L(BETA), L(MEAN), L(VAR), (tg_batch_norm2d_config){ .eps = 0.1f });
}

static tg_tensor *cross_entropy_of(fuzz_model *m, tg_scope *s, tg_tensor *a, tg_cross_entropy_config config)
{
    fuzz_shape shape = a->rank == 2 ? a->dim[0] == 2 ? MAT : ROWS : a->dim[1] == 2 ? HALF : IMAGE;
    return tg_cross_entropy_with(s, a, m->target[shape], config);
}

SIMPLE(batch_norm, bn(m, s, a))
SIMPLE(cross_entropy, cross_entropy_of(m, s, a, (tg_cross_entropy_config){ .label_smoothing = bits % 2 ? 0.1f : 0 }))

/* ---- modules: values computed inside are internal ---- */
#define MODULE(name, value) \
    FN(name) \
    { \
        UNUSED; \
        tg_enter(s, #name); \
        return tg_leave(s, value); \
    }
MODULE(conv_relu, tg_relu(s, conv3x3(m, s, a, NULL, 1)))
MODULE(conv_bn_relu, tg_relu(s, bn(m, s, conv3x3(m, s, a, NULL, 0))))
MODULE(bn_relu, tg_relu(s, bn(m, s, a)))
MODULE(bn_add_relu, tg_relu(s, bits % 2 ? tg_add(s, bn(m, s, a), b) : tg_add(s, b, bn(m, s, a))))
MODULE(linear_relu, tg_relu(s, tg_linear(s, a, L(WL), L(BL))))
MODULE(residual, tg_relu(s, tg_add(s, a, bn(m, s, conv_bn_relu(m, s, a, NULL, 0)))))
MODULE(nested, conv_relu(m, s, linear_relu(m, s, a, NULL, 0), NULL, 0))

/* ---- segments of tg_checkpoint ---- */
typedef struct {
    tg_module base;
    fuzz_model *model;
    int number;
} segment;

static tg_tensor *segment_forward(tg_scope *s, tg_module *module, tg_tensor *x)
{
    const segment *g = (const segment *)module;
    if (g->number == 0) return conv_bn_relu(g->model, s, x, NULL, 0);
    if (g->number == 1) return tg_dropout(s, linear_relu(g->model, s, x, NULL, 0), 0.5);
    return tg_relu(s, tg_add(s, bn(g->model, s, tg_sigmoid(s, x)), x));
}

SIMPLE(checkpoint_conv, tg_checkpoint(s, m->segment[0], a))
SIMPLE(checkpoint_linear, tg_checkpoint(s, m->segment[1], a))
SIMPLE(checkpoint_bn, tg_checkpoint(s, m->segment[2], a))

/* ---- the table ---- */
#define ON(shape)    [shape] = shape + 1
#define IMAGES       ON(IMAGE), ON(HALF)
#define BY_FOUR      IMAGES, ON(ROWS), ON(MAT)
#define ALL          BY_FOUR, ON(WIDE), ON(FLAT), ON(VEC), ON(ONE)
#define TO(from, to) [from] = to + 1
#define TO_ONE       TO(IMAGE, ONE), TO(HALF, ONE), TO(ROWS, ONE), TO(MAT, ONE)
enum { CONV = LEAF(W3) | LEAF(B3), LINEAR = LEAF(WL) | LEAF(BL) };
enum { NORM = LEAF(GAMMA) | LEAF(BETA), RUNNING = LEAF(MEAN) | LEAF(VAR) };
#define OP2(name_, weight_, second_, reads_, tracks_, ...) \
    { \
        .name = #name_, .weight = weight_, .second = second_, .to = { __VA_ARGS__ }, .reads = reads_, \
        .tracks = tracks_, .apply = name_ \
    }
#define VIEW(name_, weight_, cuts_, ...) \
    { \
        .name = #name_, .weight = weight_, .to = { __VA_ARGS__ }, .cuts = cuts_, .views = true, .apply = name_ \
    }
#define OP(name, weight, reads, tracks, ...) OP2(name, weight, ALONE, reads, tracks, __VA_ARGS__)

const fuzz_op fuzz_ops[] = {
    OP(relu, 12, 0, 0, ALL),
#define TG_MAP0(name, ...) OP(name##_, 1, 0, 0, ALL),
#define TG_MAP1            TG_MAP0
#define TG_MAP2            TG_MAP0
#include "elementwise.def"
    OP(neg, 1, 0, 0, ALL),
    OP(affine, 2, 0, 0, ALL),
    VIEW(detach, 1, true, ALL),
    VIEW(dropout, 3, false, ALL),
    OP2(add, 8, LIKE_OR_VEC, 0, 0, ALL),
    OP2(sub, 2, LIKE_OR_VEC, 0, 0, ALL),
    OP2(mul, 2, LIKE_OR_VEC, 0, 0, ALL),
    OP(conv3x3, 8, CONV, 0, IMAGES),
    OP(conv1x1, 3, LEAF(W1) | LEAF(B3), 0, IMAGES),
    OP(depthwise, 2, LEAF(WD), 0, IMAGES),
    OP(conv_stride2, 2, CONV, 0, TO(IMAGE, HALF)),
    OP(conv_transpose, 2, LEAF(WT) | LEAF(B3), 0, TO(HALF, IMAGE)),
    OP(linear, 8, LINEAR, 0, BY_FOUR),
    OP(matmul, 2, LEAF(WL), 0, ON(MAT), ON(ROWS)),
    OP(max_pool, 2, 0, 0, TO(IMAGE, HALF)),
    OP(max_pool3, 2, 0, 0, TO(IMAGE, HALF)),
    OP(avg_pool, 2, 0, 0, TO(IMAGE, HALF)),
    OP(upsample, 3, 0, 0, TO(HALF, IMAGE)),
    VIEW(to_rows, 3, false, TO(IMAGE, ROWS)),
    VIEW(to_image, 3, false, TO(ROWS, IMAGE)),
    OP(flatten, 2, 0, 0, TO(IMAGE, FLAT)),
    OP(slice_flat, 4, 0, 0, TO(FLAT, MAT)),
    OP(mean_hw, 2, 0, 0, TO(IMAGE, MAT), TO(HALF, MAT)),
    OP2(concat, 1, LIKE, 0, 0, TO(IMAGE, WIDE)),
    OP(slice_wide, 6, 0, 0, TO(WIDE, IMAGE)),
    OP(permute, 2, 0, 0, IMAGES),
    OP(softmax, 1, 0, 0, BY_FOUR),
    OP(log_softmax, 1, 0, 0, BY_FOUR),
    OP(mean_0, 2, 0, 0, TO(MAT, VEC), TO(ROWS, VEC)),
    OP(max_0, 1, 0, 0, TO(MAT, VEC), TO(ROWS, VEC)),
    OP(layer_norm, 2, NORM, 0, BY_FOUR),
    OP(mean_all, 2, 0, 0, TO_ONE, TO(FLAT, ONE), TO(VEC, ONE)),
    OP(mse, 2, LEAF(X1), 0, TO(IMAGE, ONE)),
    OP(batch_norm, 10, NORM, RUNNING, IMAGES),
    OP(cross_entropy, 6, 0, 0, TO_ONE),
    OP(conv_relu, 4, CONV, 0, IMAGES),
    OP(conv_bn_relu, 5, CONV | NORM, RUNNING, IMAGES),
    OP(bn_relu, 5, NORM, RUNNING, IMAGES),
    OP2(bn_add_relu, 5, LIKE, NORM, RUNNING, IMAGES),
    OP(linear_relu, 5, LINEAR, 0, BY_FOUR),
    OP(residual, 4, CONV | NORM, RUNNING, IMAGES),
    OP(nested, 2, CONV | LINEAR, 0, IMAGES),
    OP(checkpoint_conv, 2, CONV | NORM, RUNNING, IMAGES),
    OP(checkpoint_linear, 2, LINEAR, 0, BY_FOUR),
    OP(checkpoint_bn, 2, NORM, RUNNING, IMAGES),
};
const int fuzz_op_count = sizeof fuzz_ops / sizeof *fuzz_ops;

/* ---- the model ---- */
static tg_tensor *nothing(tg_scope *s, tg_module *module, tg_tensor *x)
{
    (void)s, (void)module;
    return x;
}

static tg_tensor *classes(tg_scope *s, int rank, const int64_t *dim)
{
    int64_t to[32];
    for (int i = 0; i < 32; i++) to[i] = (i * 7 + i / 3) % 4;
    return tg_from(s, TG_I64, rank, dim, to);
}

/* Adam's eps is large, so that gradients that are zero up to rounding do not become steps. */
static tg_optim *open_optim(const fuzz_model *m, tg_scope *root, uint64_t seed)
{
    const tg_sgd_config sgd = { .lr = 0.05f, .momentum = seed % 4 > 1 ? 0.9f : 0 };
    const tg_adam_config adam = { .lr = 0.02f, .eps = 0.05f };
    tg_optim *optim = seed % 4 ? tg_sgd(root, m->module, sgd) : tg_adam(root, m->module, adam);
    if (seed % 3 == 0) tg_clip_norm(root, optim, 0.5f);
    if (seed % 5 == 0) tg_clip_value(root, optim, 0.1f);
    return optim;
}

void fuzz_open_model(fuzz_model *m, tg_scope *root, uint64_t seed, uint64_t data_seed)
{
    tg_seed(root, data_seed);
    m->module = tg_module_new(root, sizeof *m->module, "Fuzz", nothing);
    for (int k = 0; k < LEAVES; k++) {
        m->leaf[k] = tg_rand(root, leaves[k].low, leaves[k].high, leaves[k].rank, leaves[k].dim);
        if (leaves[k].param) tg_param(root, m->module, leaves[k].name, m->leaf[k]);
        else if (leaves[k].grad) tg_require_grad(root, m->leaf[k]);
    }
    m->target[IMAGE] = classes(root, 3, TG_DIM(2, 4, 4));
    m->target[HALF] = classes(root, 3, TG_DIM(2, 2, 2));
    m->target[ROWS] = classes(root, 1, TG_DIM(32));
    m->target[MAT] = classes(root, 1, TG_DIM(2));
    for (int i = 0; i < 3; i++) {
        segment *g = (segment *)tg_module_new(root, sizeof *g, "Segment", segment_forward);
        if (g) g->model = m, g->number = i;
        m->segment[i] = (tg_module *)g;
    }
    m->optim = open_optim(m, root, seed);
}
