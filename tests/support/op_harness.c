/* op_harness.c - runs samples of operators and compares results.  See op_harness.h. */
#include "op_harness.h"
#include "dispatch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- inputs ---- */

static uint64_t hash_of(const char *text, uint64_t h)
{
    for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    return h;
}

static int64_t count_of(const sample_in *in)
{
    int64_t n = 1;
    for (int i = 0; i < in->rank; i++) n *= in->dim[i];
    return n;
}

static int64_t coprime_stride(int64_t n)
{
    for (int64_t stride = (int64_t)(0.618 * (double)n) + 1;; stride++) {
        int64_t a = stride, b = n;
        while (b) {
            int64_t rest = a % b;
            a = b, b = rest;
        }
        if (a == 1) return stride;
    }
}

/* Element i.  With FILL_DISTINCT they differ by 0.06 and are at least 0.03 from zero, so that no difference quotient
 * crosses a kink. */
static double value_of(const sample_in *in, tg_stream stream, int64_t i)
{
    double u = (double)tg_random_uniform(stream, (uint64_t)i), low = in->low, high = in->high;
    if (in->fill == FILL_DISTINCT) {
        int64_t n = count_of(in), place = (i * coprime_stride(n)) % n;
        return 0.06 * (double)(place - n / 2) + 0.03;
    }
    if (in->fill == FILL_CLASSES) return floor(low + u * (high - low));
    return low == 0 && high == 0 ? 2 * u - 1 : low + u * (high - low);
}

static void store(void *to, tg_dtype dtype, int64_t i, double v)
{
    switch (dtype) {
    case TG_F32: ((float *)to)[i] = (float)v; break;
    case TG_BF16: ((uint16_t *)to)[i] = tg_f32_to_bf16((float)v); break;
    case TG_U8: ((uint8_t *)to)[i] = (uint8_t)v; break;
    case TG_I8: ((int8_t *)to)[i] = (int8_t)v; break;
    case TG_I32: ((int32_t *)to)[i] = (int32_t)v; break;
    default: ((int64_t *)to)[i] = (int64_t)v; break;
    }
}

static double load(const void *from, tg_dtype dtype, int64_t i)
{
    switch (dtype) {
    case TG_F32: return (double)((const float *)from)[i];
    case TG_BF16: return (double)tg_bf16_to_f32(((const uint16_t *)from)[i]);
    case TG_U8: return ((const uint8_t *)from)[i];
    case TG_I8: return ((const int8_t *)from)[i];
    case TG_I32: return ((const int32_t *)from)[i];
    default: return (double)((const int64_t *)from)[i];
    }
}

void make_inputs(tg_scope *s, const tg_op *op, const op_sample *sample, tg_tensor *in[TG_MAX_IN])
{
    for (int k = 0; k < TG_MAX_IN; k++) {
        const sample_in *row = sample->in + k;
        in[k] = NULL;
        if (k >= op->n_in || !row->given) continue;
        int64_t n = count_of(row);
        void *bytes = calloc((size_t)n + 1, tg_dtype_size(row->dtype));
        tg_stream stream = { hash_of(sample->name, hash_of(op->name, 14695981039346656037u)), (uint64_t)k };
        for (int64_t i = 0; i < n; i++) store(bytes, row->dtype, i, value_of(row, stream, i));
        in[k] = tg_from(s, row->dtype, row->rank, row->dim, bytes);
        free(bytes);
    }
}

/* ---- the same in bf16 ---- */

static unsigned inputs_of(const tg_op *op, const op_sample *sample, tg_dtype dtype)
{
    unsigned bits = 0;
    for (int k = 0; k < op->n_in; k++)
        if (sample->in[k].given && sample->in[k].dtype == dtype) bits |= TG_BIT(k);
    return bits;
}

static op_sample with_bf16(const op_sample *sample, unsigned inputs)
{
    op_sample bf16 = *sample;
    for (int k = 0; k < TG_MAX_IN; k++)
        if (inputs & TG_BIT(k)) bf16.in[k].dtype = TG_BF16;
    return bf16;
}

/* Shape rules read no values. */
static bool accepts(const tg_op *op, const op_sample *sample, char why[HARNESS_TEXT])
{
    char nothing = 0;
    tg_scope *s = tg_open();
    tg_call c = { .op = op, .attr = sample->attr, .scope = s, .where = "" };
    for (int k = 0; k < op->n_in; k++) {
        const sample_in *in = sample->in + k;
        if (in->given) c.in[k] = tg_borrow(s, in->dtype, in->rank, in->dim, &nothing, NULL, NULL);
    }
    op->infer(s, &c);
    snprintf(why, HARNESS_TEXT, "%s", tg_message(s));
    tg_close(s);
    return !*why;
}

bool bf16_sample(const tg_op *op, const op_sample *sample, op_sample *bf16, char why[HARNESS_TEXT])
{
    const unsigned all = inputs_of(op, sample, TG_F32);
    char other[HARNESS_TEXT];
    snprintf(why, HARNESS_TEXT, all ? "" : "no f32 inputs");
    for (int n = __builtin_popcount(all); n > 0; n--)
        for (unsigned some = all; some; some = (some - 1) & all) {
            if (__builtin_popcount(some) != n) continue;
            *bf16 = with_bf16(sample, some);
            if (accepts(op, bf16, some == all ? why : other)) return true;
        }
    return false;
}

/* ---- outputs wanted and unwanted ---- */

static unsigned all_outputs(const tg_op *op) { return TG_BIT(op->n_out) - 1; }

/* All outputs; only the required ones; these and one optional one. */
int wanted_sets(const tg_op *op)
{
    unsigned optional = op->optional_out & all_outputs(op);
    int n = __builtin_popcount(optional);
    return n == 0 ? 1 : 1 + (optional != all_outputs(op)) + (op->n_out > 1 ? n : 0);
}

unsigned wanted_set(const tg_op *op, int i)
{
    unsigned optional = op->optional_out & all_outputs(op), required = all_outputs(op) & ~optional;
    if (i == 0) return all_outputs(op);
    if (required && i == 1) return required;
    int skip = i - 1 - (required != 0);
    for (int k = 0; k < op->n_out; k++)
        if ((optional & TG_BIT(k)) && skip-- == 0) return required | TG_BIT(k);
    return all_outputs(op);
}

/* Only the outputs that the spy reads are wanted.  Its kernel copies them. */
op_result *spied;

void keep_part(result_part *part, const tg_tensor *t)
{
    size_t size = (size_t)tg_count(t) * tg_dtype_size(t->dtype);
    free(part->bytes);
    *part = (result_part){ t->dtype, tg_count(t), malloc(size + 1) };
    if (part->bytes) memcpy(part->bytes, tg_ptr(t), size);
}

static void spy_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(1)); }

static void spy_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int k = 0; k < TG_MAX_OUT; k++)
        if (c->in[k]) keep_part(spied->part + k, c->in[k]);
    tg_set(c->out[0], 0, 1);
}

static const tg_kernel spy_kernel = { .name = "spy", .backend = "ref", .run = spy_run };
const tg_op spy_op = {
    .name = "spy",
    .n_in = TG_MAX_OUT,
    .n_out = 1,
    .optional_in = TG_BIT(TG_MAX_OUT) - 1,
    .infer = spy_infer,
    .kernels = TG_KERNELS(&spy_kernel),
};

/* ---- running ---- */

const tg_kernel *ref_of(const tg_op *op)
{
    const tg_kernel *last = NULL;
    for (int i = 0; op->kernels && op->kernels[i]; i++) last = op->kernels[i];
    return last;
}

bool kernel_refuses(const tg_op *op, const op_sample *sample, const tg_kernel *kernel, unsigned wanted,
                    char why[HARNESS_TEXT])
{
    tg_scope *s = tg_open();
    tg_call c = { .op = op, .attr = sample->attr, .scope = s, .where = "" };
    make_inputs(s, op, sample, c.in);
    op->infer(s, &c);
    for (int k = 0; k < op->n_out; k++)
        if (!(wanted & TG_BIT(k))) c.out[k] = NULL;
    const char *refusal = tg_ok(s) ? tg_kernel_refusal(kernel, &c) : NULL;
    snprintf(why, HARNESS_TEXT, "%s", refusal ? refusal : tg_message(s));
    tg_close(s);
    return refusal;
}

/* In user code, which may read every output. */
static void run_held(tg_scope *s, const tg_op *op, tg_tensor *const *in, const void *attr, op_result *result)
{
    tg_tensor *first = tg_apply(s, op, in, attr);
    for (int k = 0; k < op->n_out; k++) {
        tg_tensor *t = tg_output(first, k);
        if (tg_data(t)) keep_part(result->part + k, t);
    }
}

/* Inside a module, where only the outputs that the spy reads are wanted. */
static void run_spied(tg_scope *s, const tg_op *op, tg_tensor *const *in, const void *attr, unsigned wanted,
                      op_result *result)
{
    tg_tensor *seen[TG_MAX_IN] = { NULL };
    spied = result;
    tg_enter(s, "spy");
    tg_tensor *first = tg_apply(s, op, in, attr);
    for (int k = 0; k < op->n_out; k++)
        if (wanted & TG_BIT(k)) seen[k] = tg_output(first, k);
    tg_data(tg_leave(s, tg_apply(s, &spy_op, seen, NULL)));
}

void run_sample(const tg_op *op, const op_sample *sample, const tg_kernel *kernel, unsigned wanted, op_result *result)
{
    *result = (op_result){ 0 };
    tg_scope *root = tg_open(), *s = tg_push(root);
    tg_tensor *in[TG_MAX_IN];
    make_inputs(root, op, sample, in);
    if (kernel) tg_force_kernel(op, kernel);
    if (wanted == all_outputs(op)) run_held(s, op, in, sample->attr, result);
    else run_spied(s, op, in, sample->attr, wanted, result);
    for (int k = 0; k < op->n_in; k++)
        if (in[k] && (op->writes & TG_BIT(k)) && tg_data(in[k])) keep_part(result->part + TG_MAX_OUT + k, in[k]);
    tg_force_kernel(NULL, NULL);
    tg_pop(s);
    snprintf(result->message, sizeof result->message, "%s", tg_message(root));
    tg_close(root);
}

void free_result(op_result *result)
{
    for (int k = 0; k < RESULT_PARTS; k++) free(result->part[k].bytes);
    *result = (op_result){ 0 };
}

/* ---- comparing ---- */

static bool same_parts(const op_result *a, const op_result *b, int k, char why[HARNESS_TEXT])
{
    const result_part *p = a->part + k, *q = b->part + k;
    if (!p->bytes == !q->bytes && p->count == q->count && p->dtype == q->dtype) return true;
    snprintf(why, HARNESS_TEXT, "part %d: %lld elements of %s against %lld of %s", k, (long long)p->count,
             tg_dtype_name(p->dtype), (long long)q->count, tg_dtype_name(q->dtype));
    return false;
}

/* The spacing of bf16 values of this size: 8 bits, the first of them implied. */
static double bf16_unit(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 8);
}

static bool close_enough(double a, double b, double tolerance, tg_dtype dtype)
{
    if (isnan(b)) return isnan(a);
    if (isinf(b)) return a == b;
    const double unit = dtype == TG_BF16 ? bf16_unit(fmax(fabs(a), fabs(b))) : 0;
    return fabs(a - b) <= tolerance * (1 + fabs(b)) + unit;
}

static bool part_agrees(const op_result *a, const op_result *b, int k, double tolerance, char why[HARNESS_TEXT])
{
    const result_part *p = a->part + k, *q = b->part + k;
    bool whole = p->dtype != TG_F32 && p->dtype != TG_BF16;
    if (!same_parts(a, b, k, why)) return false;
    for (int64_t i = 0; p->bytes && i < p->count; i++) {
        double x = load(p->bytes, p->dtype, i), y = load(q->bytes, q->dtype, i);
        if (whole ? x == y : close_enough(x, y, tolerance, p->dtype)) continue;
        snprintf(why, HARNESS_TEXT, "%s[%d] at %lld: %.9g, ref %.9g", k < TG_MAX_OUT ? "out" : "in",
                 k < TG_MAX_OUT ? k : k - TG_MAX_OUT, (long long)i, x, y);
        return false;
    }
    return true;
}

bool results_agree(const op_result *a, const op_result *b, double tolerance, char why[HARNESS_TEXT])
{
    const char *failure = *a->message ? a->message : b->message;
    snprintf(why, HARNESS_TEXT, "%s", failure);
    if (*failure) return false;
    for (int k = 0; k < RESULT_PARTS; k++)
        if (!part_agrees(a, b, k, tolerance, why)) return false;
    return true;
}

bool results_identical(const op_result *a, const op_result *b, char why[HARNESS_TEXT])
{
    for (int k = 0; k < RESULT_PARTS; k++) {
        const result_part *p = a->part + k;
        if (!same_parts(a, b, k, why)) return false;
        if (!p->bytes || !memcmp(p->bytes, b->part[k].bytes, (size_t)p->count * tg_dtype_size(p->dtype))) continue;
        snprintf(why, HARNESS_TEXT, "part %d: other bits", k);
        return false;
    }
    return true;
}

/* ---- gradcheck ---- */

static tg_tensor *apply_row(tg_scope *s, void *context, tg_tensor *const *in)
{
    const void **row = context;
    return tg_apply(s, row[0], in, row[1]);
}

bool gradcheck_sample(tg_scope *root, const tg_op *op, const op_sample *sample, char why[256])
{
    tg_tensor *in[TG_MAX_IN];
    const void *row[2] = { op, sample->attr };
    make_inputs(root, op, sample, in);
    for (int k = 0; k < op->n_in; k++)
        if (in[k] && in[k]->dtype == TG_F32) tg_require_grad(root, in[k]);
    tg_gradcheck_config config = { .tolerance = sample->grad_tolerance, .samples = 24, .seed = 7 };
    return tg_gradcheck(root, apply_row, row, in, op->n_in, config, why);
}
