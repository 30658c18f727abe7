/* gradcheck.c - compares backward with central differences.
 *
 * The objective is a randomly weighted sum of fn's result: a plain sum is constant for softmax and normalisations, and
 * would check nothing.  Random counters are rewound before each call of fn, so that dropout drops the same elements
 * each time. */
#include "autograd.h"
#include "core.h"
#include "random.h"
#include <math.h>
#include <stdio.h>

enum { WEIGHTS = 1, PLACES = 2 }; /* streams of config.seed */

typedef tg_tensor *(*gradcheck_fn)(tg_scope *s, void *context, tg_tensor *const *in);

typedef struct {
    tg_scope *scope; /* lives during the whole check */
    gradcheck_fn fn;
    void *context;
    tg_tensor *const *in;
    int n;
    tg_gradcheck_config config;
    uint64_t counter; /* the random counter to restore before each call of fn */
} gradcheck;

typedef struct {
    double error, excess, analytic, numeric;
    int input;
    int64_t at;
} worst;

static double weight(const gradcheck *g, int64_t i)
{
    return 2 * (double)tg_random_uniform((tg_stream){ g->config.seed, WEIGHTS }, (uint64_t)i) - 1;
}

static bool is_checked(const tg_tensor *t) { return t && t->dtype == TG_F32 && t->node->needs_grad; }

/* Calls fn in a new scope, which the caller pops, and returns its result. */
static tg_tensor *call(const gradcheck *g, bool grad, tg_scope **s)
{
    *s = tg_push_modes(g->scope, (tg_modes){ .grad = grad, .train = g->config.modes.train });
    g->scope->program->random_counter = g->counter;
    tg_tensor *y = g->fn(*s, g->context, g->in);
    if (tg_ok(*s) && y->dtype != TG_F32)
        tg_fail(*s, "gradcheck: the result has dtype %s, want f32", tg_dtype_name(y->dtype));
    return y;
}

/* The weighted sum, in double. */
static double objective(const gradcheck *g)
{
    tg_scope *s;
    tg_tensor *y = call(g, false, &s);
    const float *data = tg_ok(s) ? tg_data(y) : NULL;
    double sum = data ? 0 : NAN;
    for (int64_t i = 0; data && i < tg_count(y); i++) sum += weight(g, i) * (double)data[i];
    tg_pop(s);
    return sum;
}

/* A copy of the gradient of t; zeros if it has none.  NULL: out of memory, or the scope has failed. */
static float *gradient_of(const gradcheck *g, tg_tensor *t)
{
    float *copy = tg_alloc(g->scope, sizeof *copy * (size_t)tg_count(t) + 1);
    tg_tensor *grad = tg_grad(t);
    const float *data = grad ? tg_data(grad) : NULL;
    if (!copy || (grad && !data)) return NULL;
    for (int64_t i = 0; grad && i < tg_count(t); i++) copy[i] = data[i];
    return copy;
}

/* Runs backward and copies each input's gradient; the gradients that the inputs had before are restored. */
static bool backward(const gradcheck *g, float **analytic, tg_tensor **before)
{
    for (int k = 0; k < g->n; k++)
        if (is_checked(g->in[k])) before[k] = g->in[k]->node->grad, g->in[k]->node->grad = NULL;
    tg_scope *s;
    tg_tensor *y = call(g, true, &s);
    tg_tensor *w = tg_ok(s) ? tg_zeros(s, TG_F32, y->rank, y->dim) : NULL;
    float *to = w ? tg_edit(s, w) : NULL;
    for (int64_t i = 0; to && i < tg_count(y); i++) to[i] = (float)weight(g, i);
    if (to) tg_backward_from(s, y, w);
    for (int k = 0; k < g->n && tg_ok(s); k++)
        if (is_checked(g->in[k])) analytic[k] = gradient_of(g, g->in[k]);
    tg_pop(s);
    for (int k = 0; k < g->n; k++) {
        if (!is_checked(g->in[k])) continue;
        tg_clear_grad(g->in[k]);
        g->in[k]->node->grad = before[k];
    }
    return tg_ok(g->scope);
}

static bool set(const gradcheck *g, tg_tensor *t, int64_t i, float value)
{
    float *data = tg_edit(g->scope, t);
    if (data) data[i] = value;
    return data;
}

/* (f(x + h) - f(x - h)) / 2h for element i of t, with h as rounded by f32; NaN once the scope has failed. */
static double difference(const gradcheck *g, tg_tensor *t, int64_t i)
{
    const float *data = tg_data(t);
    if (!data) return NAN;
    float x = data[i];
    double size = fmin(fmax(fabs((double)x), 0.1), 1);
    double h = g->config.step * size;
    float high = (float)((double)x + h), low = (float)((double)x - h);
    double up = set(g, t, i, high) ? objective(g) : NAN;
    double down = set(g, t, i, low) ? objective(g) : NAN;
    set(g, t, i, x);
    return (up - down) / ((double)high - (double)low);
}

/* The j-th of `of` elements sampled from `count`: a random one in each of `of` equal ranges, so all if of == count. */
static int64_t sample(const gradcheck *g, int64_t j, int64_t of, int64_t count)
{
    int64_t from = j * count / of, to = (j + 1) * count / of;
    return from + tg_random_below((tg_stream){ g->config.seed, PLACES }, (uint64_t)j, (uint32_t)(to - from));
}

static void compare(const gradcheck *g, int input, const float *analytic, worst *w)
{
    tg_tensor *t = g->in[input];
    int64_t count = tg_count(t), of = g->config.samples;
    if (of <= 0 || of > count) of = count;
    for (int64_t j = 0; j < of && tg_ok(g->scope); j++) {
        int64_t i = sample(g, j, of, count);
        double numeric = difference(g, t, i), error = fabs((double)analytic[i] - numeric);
        double excess = error == 0 ? 0 : error / (g->config.tolerance * (1 + fabs(numeric)));
        if (!(excess <= w->excess)) *w = (worst){ error, excess, (double)analytic[i], numeric, input, i };
        if (isnan(excess)) return;
    }
}

static bool verdict(const gradcheck *g, const worst *w, char report[256])
{
    if (!tg_ok(g->scope)) {
        if (report) snprintf(report, 256, "%s", tg_message(g->scope));
        return false;
    }
    bool good = w->excess <= 1;
    if (report && w->input < 0) snprintf(report, 256, "no input to check");
    else if (report)
        snprintf(report, 256, "in[%d] at %lld: backward %.6g, differences %.6g, error %.2g (%.2g of what is allowed)",
                 w->input, (long long)w->at, w->analytic, w->numeric, w->error, w->excess);
    return good;
}

bool tg_gradcheck(tg_scope *s, tg_tensor *(*fn)(tg_scope *s, void *context, tg_tensor *const *in), void *context,
                  tg_tensor *const *in, int n, tg_gradcheck_config config, char report[256])
{
    if (report) report[0] = 0;
    if (tg_ok(s) && !fn) tg_fail(s, "gradcheck: the function is NULL");
    if (tg_ok(s) && n > 0 && !in) tg_fail(s, "gradcheck: the inputs are NULL");
    for (int k = 0; k < n && tg_ok(s); k++)
        if (in[k]) tg_wants_tensor(s, "gradcheck", in[k]);
    if (!tg_ok(s)) return false;
    config.tolerance = tg_or_default(config.tolerance, 1e-2);
    config.step = tg_or_default(config.step, 1e-2);
    if (!(config.tolerance >= 0) || !(config.step > 0)) {
        tg_fail(s, "gradcheck: tolerance %g and step %g, want at least 0 and above 0", config.tolerance, config.step);
        return false;
    }
    gradcheck g = { tg_push(s), fn, context, in, n, config, s->program->random_counter };
    size_t room = (size_t)(n > 0 ? n : 0) + 1;
    float **analytic = tg_alloc(g.scope, sizeof *analytic * room);
    tg_tensor **before = tg_alloc(g.scope, sizeof(tg_tensor *) * room);
    worst w = { .excess = -1, .input = -1 };
    bool good = analytic && before && backward(&g, analytic, before);
    for (int k = 0; k < n && good; k++)
        if (is_checked(in[k])) compare(&g, k, analytic[k], &w);
    good = verdict(&g, &w, report) && good;
    tg_pop(g.scope);
    return good;
}
