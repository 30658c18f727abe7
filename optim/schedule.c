/* schedule.c - learning rate schedules. */
#include "run.h"
#include "update.h"
#include <math.h>

static double half_cosine(double from, double to, double part)
{
    return to + (from - to) * (1 + cos(3.14159265358979323846 * part)) / 2;
}

/* From lr / div_factor up to lr, then down to lr / div_factor / final_div_factor at update total - 1. */
static double one_cycle(const tg_schedule_values *v, double lr, double step)
{
    const double start = lr / v->div_factor, end = start / v->final_div_factor;
    const double last = (double)v->total - 1, top = v->pct_start * (double)v->total - 1;
    if (step >= last) return end;
    if (step <= top) return top > 0 ? half_cosine(start, lr, step / top) : lr;
    return half_cosine(lr, end, (step - top) / (last - top));
}

double tg_schedule_rate(const tg_schedule_values *v, double lr, int64_t step)
{
    if (v->kind == TG_ONE_CYCLE) return one_cycle(v, lr, (double)step);
    if (step < v->warmup) {
        const double part = (double)step / (double)v->warmup;
        return lr * (v->warmup_from + (1 - v->warmup_from) * part);
    }
    const int64_t after = step - v->warmup, length = v->total - v->warmup;
    if (v->kind == TG_STEP) return v->every > 0 ? lr * pow(v->gamma, (double)(after / v->every)) : (double)NAN;
    const double part = after < length ? (double)after / (double)length : 1;
    return v->kind == TG_COSINE ? half_cosine(lr, v->lr_end, part) : lr;
}

tg_schedule_values tg_schedule_values_of(const tg_schedule_config *c)
{
    return (tg_schedule_values){
        .kind = c->kind,
        .total = c->total,
        .warmup = c->warmup,
        .every = c->every,
        .warmup_from = tg_or_default((double)c->warmup_from, 0),
        .gamma = tg_or_default((double)c->gamma, 0),
        .lr_end = tg_or_default((double)c->lr_end, 0),
        .pct_start = tg_or_default((double)c->pct_start, 0.3),
        .div_factor = tg_or_default((double)c->div_factor, 25),
        .final_div_factor = tg_or_default((double)c->final_div_factor, 1e4),
    };
}

float tg_schedule_at(const tg_schedule_config *config, float lr, int64_t step)
{
    if (!config) return NAN;
    const tg_schedule_values v = tg_schedule_values_of(config);
    return (float)tg_schedule_rate(&v, (double)lr, step > 0 ? step : 0);
}

/* ---- setting a schedule ---- */

static bool check_numbers(tg_scope *s, const tg_schedule_values *c)
{
    const struct {
        const char *name;
        double value;
    } number[] = {
        { "warmup_from", c->warmup_from }, { "gamma", c->gamma },           { "lr_end", c->lr_end },
        { "pct_start", c->pct_start },     { "div_factor", c->div_factor }, { "final_div_factor", c->final_div_factor },
    };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (!tg_update_wants_number(s, "schedule", number[i].name, number[i].value)) return false;
    if (c->pct_start >= 1) tg_fail(s, "schedule: pct_start %g, want below 1", c->pct_start);
    if (c->kind == TG_ONE_CYCLE && !(c->div_factor > 0 && c->final_div_factor > 0))
        tg_fail(s, "schedule: div_factor %g and final_div_factor %g, want both above 0", c->div_factor,
                c->final_div_factor);
    return tg_ok(s);
}

static void check_counts(tg_scope *s, const tg_schedule_values *c)
{
    const bool has_end = c->kind == TG_COSINE || c->kind == TG_ONE_CYCLE;
    if (c->warmup < 0) tg_fail(s, "schedule: warmup %lld, want at least 0", (long long)c->warmup);
    if (c->kind == TG_STEP && c->every < 1) tg_fail(s, "schedule: every %lld, want at least 1", (long long)c->every);
    if (has_end && c->total <= c->warmup)
        tg_fail(s, "schedule: total %lld with warmup %lld, want more updates than those of the warm-up",
                (long long)c->total, (long long)c->warmup);
    if (c->kind == TG_ONE_CYCLE && c->warmup > 0)
        tg_fail(s, "schedule: warmup %lld in a one-cycle schedule, want 0: it has its own (pct_start)",
                (long long)c->warmup);
}

void tg_schedule_check(tg_scope *s, const tg_schedule_values *v)
{
    if (tg_ok(s) && (unsigned)v->kind > TG_ONE_CYCLE) tg_fail(s, "schedule: %d is no kind", (int)v->kind);
    if (tg_ok(s) && check_numbers(s, v)) check_counts(s, v);
}

void tg_schedule(tg_scope *s, tg_optim *opt, tg_schedule_config config)
{
    tg_wants_home(s, "schedule", "optimizer", opt ? opt->scope : NULL);
    const tg_schedule_values v = tg_schedule_values_of(&config);
    tg_schedule_check(s, &v);
    if (tg_ok(s) && config.kind == TG_STEP && config.gamma == 0)
        tg_fail(s, "schedule: gamma 0, want above 0 (or TG_ZERO)");
    if (tg_ok(s)) opt->schedule = v;
}
