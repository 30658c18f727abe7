/* oracle_calls.c - runs calls of public operators for oracle/compare_torch, forward and backward.
 *
 * A request on standard input is a line of words, followed by the bytes of the inputs, one after another:
 *     OPERATOR threads train attributes a0 a1 .. inputs { dtype use rank d0 d1 .. } ..
 * use: 0: plain input; 1: return its gradient; 2: return its contents afterwards; 3: it is the gradient of the result.
 * The answer is a line "error MESSAGE"; or "ok N", then N times a line "dtype rank d0 d1 .." followed by the bytes: the
 * result, then what was requested of each input, gradients in f32.  A missing gradient has dtype "none". */
#include <tilegrad/tilegrad.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ATTR = 32, MOST_IN = 8, NOTHING = 0, GRADIENT, NUMBERS, RESULTS_GRADIENT };

typedef struct {
    char name[64];
    int threads, train, n_attr, n_in, use[MOST_IN];
    double a[MOST_ATTR];
    tg_tensor *in[MOST_IN]; /* except those of use RESULTS_GRADIENT */
    tg_tensor *gradient;
} request;

/* ---- the operators ---- */

static int i(const request *r, int k) { return (int)r->a[k]; }

static tg_tensor *conv2d(tg_scope *s, request *r)
{
    return tg_conv2d(s, r->in[0], r->in[1], r->in[2],
                     (tg_conv2d_config){ { i(r, 0), i(r, 1) }, { i(r, 2), i(r, 3) }, { i(r, 4), i(r, 5) }, i(r, 6) });
}
static tg_tensor *conv2d_relu(tg_scope *s, request *r) { return tg_relu(s, conv2d(s, r)); }
static tg_tensor *conv_transpose2d(tg_scope *s, request *r)
{
    return tg_conv_transpose2d(
        s, r->in[0], r->in[1], r->in[2],
        (tg_conv_transpose2d_config){
            { i(r, 0), i(r, 1) }, { i(r, 2), i(r, 3) }, { i(r, 4), i(r, 5) }, { i(r, 7), i(r, 8) }, i(r, 6) });
}
static tg_tensor *linear(tg_scope *s, request *r) { return tg_linear(s, r->in[0], r->in[1], r->in[2]); }
static tg_tensor *linear_relu(tg_scope *s, request *r) { return tg_relu(s, linear(s, r)); }
static tg_tensor *matmul(tg_scope *s, request *r)
{
    if (!i(r, 0) && !i(r, 1)) return tg_matmul(s, r->in[0], r->in[1]);
    return tg_matmul_with(s, r->in[0], r->in[1], (tg_matmul_config){ i(r, 0), i(r, 1) });
}

static tg_pool2d_config pool(const request *r)
{
    return (tg_pool2d_config){ { i(r, 0), i(r, 1) }, { i(r, 2), i(r, 3) }, { i(r, 4), i(r, 5) }, i(r, 6) };
}
static tg_tensor *max_pool2d(tg_scope *s, request *r) { return tg_max_pool2d(s, r->in[0], pool(r)); }
static tg_tensor *avg_pool2d(tg_scope *s, request *r) { return tg_avg_pool2d(s, r->in[0], pool(r)); }
static tg_tensor *relu_max_pool2d(tg_scope *s, request *r) { return tg_max_pool2d(s, tg_relu(s, r->in[0]), pool(r)); }
static tg_tensor *adaptive(tg_scope *s, request *r) { return tg_adaptive_avg_pool2d(s, r->in[0], i(r, 0), i(r, 1)); }

static tg_tensor *batch_norm2d(tg_scope *s, request *r)
{
    tg_tensor *const *in = r->in;
    return tg_batch_norm2d(s, in[0], in[1], in[2], in[3], in[4],
                           (tg_batch_norm2d_config){ (float)r->a[0], (float)r->a[1] });
}
static tg_tensor *batch_norm2d_relu(tg_scope *s, request *r) { return tg_relu(s, batch_norm2d(s, r)); }
static tg_tensor *batch_norm2d_add_relu(tg_scope *s, request *r)
{
    return tg_relu(s, tg_add(s, batch_norm2d(s, r), r->in[5]));
}
static tg_tensor *layer_norm(tg_scope *s, request *r)
{
    return tg_layer_norm(s, r->in[0], r->in[1], r->in[2], r->a[0]);
}

static tg_axes axes(const request *r)
{
    tg_axes a = { .n = r->n_attr - 1, .keep = i(r, 0) };
    for (int k = 0; k < a.n; k++) a.axis[k] = i(r, 1 + k);
    return a;
}
static tg_tensor *sum(tg_scope *s, request *r) { return tg_sum(s, r->in[0], axes(r)); }
static tg_tensor *mean(tg_scope *s, request *r) { return tg_mean(s, r->in[0], axes(r)); }
static tg_tensor *max(tg_scope *s, request *r) { return tg_max(s, r->in[0], axes(r)); }
static tg_tensor *argmax(tg_scope *s, request *r) { return tg_argmax(s, r->in[0], i(r, 0)); }
static tg_tensor *softmax(tg_scope *s, request *r) { return tg_softmax(s, r->in[0], i(r, 0)); }
static tg_tensor *log_softmax(tg_scope *s, request *r) { return tg_log_softmax(s, r->in[0], i(r, 0)); }

/* a: reduction, label smoothing, ignore, ignore_index; in: x, target, weight */
static tg_cross_entropy_config classes(const request *r)
{
    return (tg_cross_entropy_config){
        .weight = r->in[2],
        .label_smoothing = (float)r->a[1],
        .ignore = i(r, 2),
        .ignore_index = i(r, 3),
        .reduction = (tg_reduction)i(r, 0),
    };
}
static tg_tensor *cross_entropy(tg_scope *s, request *r) { return tg_cross_entropy(s, r->in[0], r->in[1]); }
static tg_tensor *cross_entropy_with(tg_scope *s, request *r)
{
    return tg_cross_entropy_with(s, r->in[0], r->in[1], classes(r));
}
static tg_tensor *nll_loss(tg_scope *s, request *r) { return tg_nll_loss(s, r->in[0], r->in[1], classes(r)); }
static tg_tensor *mse(tg_scope *s, request *r) { return tg_mse(s, r->in[0], r->in[1], (tg_reduction)i(r, 0)); }
static tg_tensor *l1(tg_scope *s, request *r) { return tg_l1(s, r->in[0], r->in[1], (tg_reduction)i(r, 0)); }
static tg_tensor *bce(tg_scope *s, request *r)
{
    return tg_bce_with_logits(s, r->in[0], r->in[1], (tg_reduction)i(r, 0));
}

static tg_tensor *add(tg_scope *s, request *r) { return tg_add(s, r->in[0], r->in[1]); }
static tg_tensor *sub(tg_scope *s, request *r) { return tg_sub(s, r->in[0], r->in[1]); }
static tg_tensor *mul(tg_scope *s, request *r) { return tg_mul(s, r->in[0], r->in[1]); }
static tg_tensor *divide(tg_scope *s, request *r) { return tg_div(s, r->in[0], r->in[1]); }
static tg_tensor *affine(tg_scope *s, request *r) { return tg_affine(s, r->in[0], r->a[0], r->a[1]); }
static tg_tensor *power(tg_scope *s, request *r) { return tg_pow(s, r->in[0], r->a[0]); }
#define CALL(name, ...) \
    static tg_tensor *name##_(tg_scope *s, request *r) { return tg_##name(s, __VA_ARGS__); }
#define TG_MAP0(name, ...) CALL(name, r->in[0])
#define TG_MAP1(name, ...) CALL(name, r->in[0], r->a[0])
#define TG_MAP2(name, ...) CALL(name, r->in[0], r->a[0], r->a[1])
#include "../../ops/elementwise.def"
static tg_tensor *dropout(tg_scope *s, request *r) { return tg_dropout(s, r->in[0], r->a[0]); }
static tg_tensor *neg(tg_scope *s, request *r) { return tg_neg(s, r->in[0]); }
static tg_tensor *exponential(tg_scope *s, request *r) { return tg_exp(s, r->in[0]); }
static tg_tensor *logarithm(tg_scope *s, request *r) { return tg_log(s, r->in[0]); }
static tg_tensor *root(tg_scope *s, request *r) { return tg_sqrt(s, r->in[0]); }
static tg_tensor *relu(tg_scope *s, request *r) { return tg_relu(s, r->in[0]); }

static const int64_t *whole(const request *r, int from, int n, int64_t *to)
{
    for (int k = 0; k < n; k++) to[k] = (int64_t)r->a[from + k];
    return to;
}
static tg_tensor *reshape(tg_scope *s, request *r)
{
    int64_t dim[MOST_ATTR];
    return tg_reshape(s, r->in[0], r->n_attr, whole(r, 0, r->n_attr, dim));
}
static tg_tensor *sum_to(tg_scope *s, request *r)
{
    int64_t dim[MOST_ATTR];
    return tg_sum_to(s, r->in[0], r->n_attr, whole(r, 0, r->n_attr, dim));
}
static tg_tensor *fill(tg_scope *s, request *r)
{
    int64_t dim[MOST_ATTR];
    return tg_fill(s, r->a[0], r->n_attr - 1, whole(r, 1, r->n_attr - 1, dim));
}
static tg_tensor *permute(tg_scope *s, request *r)
{
    int order[MOST_ATTR];
    for (int k = 0; k < r->n_attr; k++) order[k] = i(r, k);
    return tg_permute(s, r->in[0], order);
}
static tg_tensor *flatten(tg_scope *s, request *r) { return tg_flatten(s, r->in[0]); }
static tg_tensor *transpose(tg_scope *s, request *r) { return tg_transpose(s, r->in[0], i(r, 0), i(r, 1)); }
static tg_tensor *concat(tg_scope *s, request *r) { return tg_concat(s, r->in, i(r, 1), i(r, 0)); }
static tg_tensor *slice(tg_scope *s, request *r) { return tg_slice(s, r->in[0], i(r, 0), i(r, 1), i(r, 2)); }
static tg_tensor *pad(tg_scope *s, request *r)
{
    int64_t before[MOST_ATTR], after[MOST_ATTR];
    const int rank = r->in[0]->rank;
    return tg_pad(s, r->in[0], whole(r, 1, rank, before), whole(r, 1 + rank, rank, after), r->a[0]);
}
static tg_tensor *upsample(tg_scope *s, request *r)
{
    return tg_upsample(s, r->in[0], (tg_upsample_config){ i(r, 0), i(r, 1), i(r, 2), i(r, 3) });
}
static tg_tensor *cast(tg_scope *s, request *r) { return tg_cast(s, r->in[0], (tg_dtype)i(r, 0)); }
static tg_tensor *detach(tg_scope *s, request *r) { return tg_add(s, tg_detach(s, r->in[0]), r->in[0]); }

static const struct {
    const char *name;
    tg_tensor *(*apply)(tg_scope *s, request *r);
} operators[] = {
    { "conv2d", conv2d },
    { "conv2d_relu", conv2d_relu },
    { "conv_transpose2d", conv_transpose2d },
    { "linear", linear },
    { "linear_relu", linear_relu },
    { "matmul", matmul },
    { "max_pool2d", max_pool2d },
    { "avg_pool2d", avg_pool2d },
    { "relu_max_pool2d", relu_max_pool2d },
    { "adaptive_avg_pool2d", adaptive },
    { "batch_norm2d", batch_norm2d },
    { "batch_norm2d_relu", batch_norm2d_relu },
    { "batch_norm2d_add_relu", batch_norm2d_add_relu },
    { "layer_norm", layer_norm },
    { "sum", sum },
    { "mean", mean },
    { "max", max },
    { "argmax", argmax },
    { "softmax", softmax },
    { "log_softmax", log_softmax },
    { "cross_entropy", cross_entropy },
    { "cross_entropy_with", cross_entropy_with },
    { "nll_loss", nll_loss },
    { "mse", mse },
    { "l1", l1 },
    { "bce_with_logits", bce },
    { "add", add },
    { "sub", sub },
    { "mul", mul },
    { "div", divide },
    { "affine", affine },
    { "pow", power },
#define TG_MAP0(name, ...) { #name, name##_ },
#define TG_MAP1            TG_MAP0
#define TG_MAP2            TG_MAP0
#include "../../ops/elementwise.def"
    { "dropout", dropout },
    { "neg", neg },
    { "exp", exponential },
    { "log", logarithm },
    { "sqrt", root },
    { "relu", relu },
    { "reshape", reshape },
    { "sum_to", sum_to },
    { "fill", fill },
    { "permute", permute },
    { "flatten", flatten },
    { "transpose", transpose },
    { "concat", concat },
    { "slice", slice },
    { "pad", pad },
    { "upsample", upsample },
    { "cast", cast },
    { "detach", detach },
};

/* ---- requests ---- */

static bool dtype_named(const char *name, tg_dtype *dtype)
{
    static const tg_dtype all[] = { TG_F32, TG_BF16, TG_U8, TG_I8, TG_I32, TG_I64 };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (!strcmp(tg_dtype_name(all[k]), name)) return *dtype = all[k], true;
    return false;
}

typedef struct {
    char dtype[8];
    int use, rank;
    int64_t dim[TG_MAX_RANK];
} header;

static bool read_header(header *h)
{
    if (scanf("%7s %d %d", h->dtype, &h->use, &h->rank) != 3 || h->rank < 0 || h->rank > TG_MAX_RANK) return false;
    for (int k = 0; k < h->rank; k++)
        if (scanf("%ld", &h->dim[k]) != 1) return false;
    return true;
}

static tg_tensor *read_tensor(tg_scope *s, const header *h)
{
    tg_dtype dtype;
    if (!dtype_named(h->dtype, &dtype)) return NULL;
    tg_tensor *const t = tg_zeros(s, dtype, h->rank, h->dim);
    const size_t n = (size_t)tg_count(t);
    void *const to = n ? tg_edit(s, t) : NULL;
    if (n && (!to || fread(to, tg_dtype_size(dtype), n, stdin) != n)) return NULL;
    return h->use == GRADIENT ? tg_require_grad(s, t) : t;
}

static bool read_request(tg_scope *s, request *r)
{
    header h[MOST_IN];
    *r = (request){ .threads = 1 };
    if (scanf("%63s %d %d %d", r->name, &r->threads, &r->train, &r->n_attr) != 4 || r->n_attr > MOST_ATTR) return false;
    for (int k = 0; k < r->n_attr; k++)
        if (scanf("%lf", &r->a[k]) != 1) return false;
    if (scanf("%d", &r->n_in) != 1 || r->n_in > MOST_IN) return false;
    for (int k = 0; k < r->n_in; k++)
        if (!read_header(&h[k])) return false;
    if (getchar() != '\n') return false;
    for (int k = 0; k < r->n_in; k++) {
        const bool none = !strcmp(h[k].dtype, "none");
        tg_tensor *const t = none ? NULL : read_tensor(s, &h[k]);
        if (!t && !none) return false;
        if (h[k].use == RESULTS_GRADIENT) r->gradient = t;
        else r->in[k] = t;
        r->use[k] = h[k].use;
    }
    return true;
}

/* ---- answers ---- */

/* Writes from a copy of exactly the tensor's size, so that AddressSanitizer detects reads beyond it. */
static void write_tensor(tg_tensor *t)
{
    const void *const data = t ? tg_data(t) : NULL;
    if (!t || (!data && tg_count(t))) {
        printf("none 0\n");
        return;
    }
    printf("%s %d", tg_dtype_name(t->dtype), t->rank);
    for (int k = 0; k < t->rank; k++) printf(" %ld", t->dim[k]);
    printf("\n");
    if (tg_count(t)) fwrite(data, tg_dtype_size(t->dtype), (size_t)tg_count(t), stdout);
}

static tg_tensor *apply(tg_scope *s, request *r)
{
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++)
        if (!strcmp(operators[k].name, r->name)) return operators[k].apply(s, r);
    tg_fail(s, "no operator %s here", r->name);
    return NULL;
}

static void answer(tg_scope *root, request *r)
{
    tg_scope *const s = tg_push_modes(root, (tg_modes){ .grad = true, .train = r->train });
    tg_tensor *const y = apply(s, r);
    int n = 1;
    if (tg_ok(s) && r->gradient) tg_backward_from(s, y, r->gradient);
    if (tg_ok(s)) tg_data(y);
    for (int k = 0; k < r->n_in; k++) {
        n += r->use[k] == GRADIENT || r->use[k] == NUMBERS;
        if (tg_ok(s) && r->use[k] == GRADIENT && tg_grad(r->in[k])) tg_data(tg_grad(r->in[k]));
    }
    if (!tg_ok(s)) printf("error %s\n", tg_message(s));
    else {
        printf("ok %d\n", n);
        write_tensor(y);
        for (int k = 0; k < r->n_in; k++)
            if (r->use[k] == GRADIENT) write_tensor(tg_grad(r->in[k]));
            else if (r->use[k] == NUMBERS) write_tensor(r->in[k]);
    }
    fflush(stdout);
    tg_pop(s);
}

int main(void)
{
    for (;;) {
        tg_scope *const root = tg_open();
        request r;
        const bool more = read_request(root, &r);
        if (more) {
            tg_set_threads(r.threads);
            answer(root, &r);
        }
        tg_close(root);
        if (!more) return feof(stdin) ? 0 : 1;
    }
}
