/* bench_layers.c - see bench_layers.h.  Our kernel and oneDNN's direct kernel alternate on the same operands. */
#include "bench_layers.h"
#include "bench_ops.h"
#include "attr.h"
#include "dispatch.h"
#include "median.h"
#include "peak.h"
#include "run.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LAYERS = 64, PASSES = 3 };
static const char *const pass_name[PASSES] = { "forward", "grad_x", "grad_w" };

typedef struct {
    tg_conv2d_attr attr;
    int64_t x[4], w[4], y[4];
    int times; /* number of occurrences in the model */
} layer;

typedef struct {
    int n;
    layer at[MAX_LAYERS];
} layers;

/* ---- the convolutions of a model ---- */

static bool observe_convolution(void *context, const tg_call *c)
{
    layers *const all = context;
    if (c->op != &tg_conv2d_op && c->op != &tg_conv2d_relu_op) return false; /* abandons the run: nothing is computed */
    layer one = { .times = 1 };
    memcpy(&one.attr, c->attr, sizeof one.attr);
    memcpy(one.x, c->in[0]->dim, sizeof one.x);
    memcpy(one.w, c->in[1]->dim, sizeof one.w);
    memcpy(one.y, c->out[0]->dim, sizeof one.y);
    for (int i = 0; i < all->n && i < MAX_LAYERS; i++) {
        layer *const known = &all->at[i];
        if (memcmp(&known->attr, &one.attr, sizeof one.attr) || memcmp(known->x, one.x, sizeof one.x) ||
            memcmp(known->w, one.w, sizeof one.w))
            continue;
        known->times++;
        return false;
    }
    if (all->n < MAX_LAYERS) all->at[all->n] = one;
    all->n++; /* more than there is room for: find_layers refuses */
    return false;
}

static void find_layers(tg_scope *root, const tg_model_info *model, int batch, layers *all)
{
    tg_scope *const s = tg_push(root);
    tg_options *const options = tg_tree_options(s);
    const tg_options was = *options;
    tg_module *const net = model->make(s, 10);
    tg_tensor *const x = tg_zeros(s, TG_F32, 4, TG_DIM(batch, model->input[0], model->input[1], model->input[2]));
    tg_tensor *const y = tg_forward(s, net, x);
    if (tg_ok(s)) {
        options->observe = observe_convolution;
        options->context = all;
        tg_data(y); /* fails: the observer abandons the run */
        *options = was;
        tg_clear(s);
    }
    tg_pop(s);
    if (all->n > MAX_LAYERS)
        tg_fail(root, "bench: %s has %d different convolutions, want at most %d", model->name, all->n, MAX_LAYERS);
}

/* ---- one layer ---- */

static tg_tensor *operand(tg_scope *s, bool bf16, const int64_t dim[4], double low)
{
    return tg_copy(s, tg_cast(s, tg_rand(s, low, 1, 4, dim), bf16 ? TG_BF16 : TG_F32));
}

typedef struct {
    const tg_op *op;
    tg_tensor *in[3];
    const tg_conv2d_attr *attr;
    double flops;
} work;

static const tg_kernel *peer_of(const work *w)
{
    const char *const name = w->in[0]->dtype == TG_BF16 ? "onednn_bf16" : "onednn";
    for (const tg_kernel *const *k = w->op->kernels; *k; k++)
        if (!strcmp((*k)->name, name)) return *k;
    return NULL;
}

typedef struct {
    double ms;
    const tg_kernel *kernel;
} turn;
static bool see_kernel(void *context, const tg_call *c) { return *(const tg_kernel **)context = c->kernel, true; }

/* The time of the kernel alone, in milliseconds, and its name. */
static turn run_once(tg_scope *root, const work *w, const tg_kernel *forced)
{
    turn t = { 0, NULL };
    tg_scope *const s = tg_push(root);
    tg_options *const options = tg_tree_options(s);
    tg_force_kernel(w->op, forced);
    tg_tensor *const y = tg_apply(s, w->op, w->in, w->attr);
    options->observe = see_kernel;
    options->context = (void *)&t.kernel;
    const double before = tg_statistics(root).run_ms;
    tg_data(y);
    t.ms = tg_statistics(root).run_ms - before;
    options->observe = NULL;
    tg_force_kernel(NULL, NULL);
    tg_pop(s);
    return t;
}

typedef struct {
    double log_ratio, log_share, log_ratio3, log_share3;
    int n, peers, n3, peers3;
} means;

static void print_pass(tg_scope *root, const work *w, int pass, int rounds, double most, bool three, means *m)
{
    double ours[BENCH_MAX_STEPS], theirs[BENCH_MAX_STEPS];
    const tg_kernel *const peer = peer_of(w);
    turn own = run_once(root, w, NULL), other = { 0, NULL };
    if (peer) other = run_once(root, w, peer);
    const bool has_peer = peer && other.kernel == peer;
    for (int i = 0; i < rounds && tg_ok(root); i++) {
        ours[i] = (own = run_once(root, w, NULL)).ms;
        theirs[i] = has_peer ? run_once(root, w, peer).ms : 0;
    }
    if (!tg_ok(root)) return;
    sort_numbers(ours, rounds);
    sort_numbers(theirs, rounds);
    const double speed = w->flops / median(ours, rounds) * 1e-6, share = speed / most;
    printf("  %-8s %8.1f", pass_name[pass], speed);
    m->n++, m->n3 += three;
    m->log_share += log(share), m->log_share3 += three ? log(share) : 0;
    if (has_peer) {
        const double peers = w->flops / median(theirs, rounds) * 1e-6;
        printf(" %8.1f %6.2f", peers, speed / peers);
        m->peers++, m->peers3 += three;
        m->log_ratio += log(speed / peers), m->log_ratio3 += three ? log(speed / peers) : 0;
    } else printf(" %8s %6s", "-", "-");
    printf(" %6.1f %%  %s\n", 100 * share, own.kernel->name);
    fflush(stdout);
}

static void print_layer(tg_scope *root, const layer *l, bool bf16, int rounds, double most, means m[PASSES])
{
    tg_scope *const s = tg_push(root);
    tg_tensor *const x = operand(s, bf16, l->x, -1), *const w = operand(s, bf16, l->w, -1);
    tg_tensor *const gy = operand(s, bf16, l->y, -1);
    if (tg_ok(s)) tg_keep_packs(w);
    const double flops = 2.0 * (double)(l->y[0] * l->y[1] * l->y[2] * l->y[3]) * (double)(l->w[1] * l->w[2] * l->w[3]);
    const work of[PASSES] = {
        { &tg_conv2d_op, { x, w, NULL }, &l->attr, flops },
        { &tg_conv2d_grad_x_op, { gy, w }, &l->attr, flops },
        { &tg_conv2d_grad_w_op, { gy, x }, &l->attr, flops },
    };
    printf("%lldx%lld %lld-%lld @%lldx%lld", (long long)l->w[1], (long long)l->w[2], (long long)l->x[3],
           (long long)l->y[3], (long long)l->x[1], (long long)l->x[2]);
    if (l->attr.stride[0] > 1) printf(" stride %d", l->attr.stride[0]);
    printf(", %d in the model\n", l->times);
    for (int p = 0; p < PASSES && tg_ok(s); p++) print_pass(s, &of[p], p, rounds, most, l->w[1] == 3, &m[p]);
    tg_pop(s);
}

static void print_mean(const char *name, const means *m)
{
    printf("  %-8s %8s %8s", name, "", "");
    if (m->peers) printf(" %6.2f", exp(m->log_ratio / m->peers));
    else printf(" %6s", "-");
    printf(" %6.1f %%", 100 * exp(m->log_share / m->n));
    if (m->n3) printf("   3x3 alone: %.1f %%", 100 * exp(m->log_share3 / m->n3));
    if (m->peers3) printf(", ratio %.2f", exp(m->log_ratio3 / m->peers3));
    printf("\n");
}

void bench_layers(tg_scope *root, const tg_model_info *model, int batch, bool bf16, int rounds)
{
    layers all = { 0 };
    means m[PASSES + 1] = { 0 };
    const peak most = bf16 ? peak_bf16() : peak_fp32();
    find_layers(root, model, batch, &all);
    if (!tg_ok(root)) return;
    printf("convolutions of %s, batch %d, %s, %d threads; peak %.0f GFLOP/s (%s)\n", model->name, batch,
           bf16 ? "bf16" : "fp32", tg_threads(), most.gflops, most.instruction);
    printf("  %-8s %8s %8s %6s %8s\n", "pass", "GFLOP/s", "oneDNN", "ratio", "of peak");
    for (int i = 0; i < all.n && tg_ok(root); i++) print_layer(root, &all.at[i], bf16, rounds, most.gflops, m);
    if (!tg_ok(root)) return;
    printf("geometric means\n");
    for (int p = 0; p < PASSES; p++) {
        print_mean(pass_name[p], &m[p]);
        m[PASSES].log_ratio += m[p].log_ratio, m[PASSES].log_share += m[p].log_share;
        m[PASSES].log_ratio3 += m[p].log_ratio3, m[PASSES].log_share3 += m[p].log_share3;
        m[PASSES].n += m[p].n, m[PASSES].peers += m[p].peers, m[PASSES].n3 += m[p].n3, m[PASSES].peers3 += m[p].peers3;
    }
    print_mean("all", &m[PASSES]);
}
