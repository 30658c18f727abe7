/* schedule.c - learning rates over the updates. */
#include "run.h"
#include "update.h"
#include <math.h>

static double half_cosine(double from, double to, double part)
{
    return to + (from - to) * (1 + cos(3.14159265358979323846 * part)) / 2;
}

/* From lr / div_factor up to lr, then down to lr / div_factor / final_div_factor, which update total - 1 has. */
static double one_cycle(const tg_schedule_config *c, double lr, double step)
{
    const double start = lr / (c->div_factor > 0 ? (double)c->div_factor : 25);
    const double end = start / (c->final_div_factor > 0 ? (double)c->final_div_factor : 1e4);
    const double rise = c->pct_start > 0 ? (double)c->pct_start : 0.3;
    const double last = (double)c->total - 1, top = rise * (double)c->total - 1;
    if (step >= last) return end;
    if (step <= top) return top > 0 ? half_cosine(start, lr, step / top) : lr;
    return half_cosine(lr, end, (step - top) / (last - top));
}

static double rate(const tg_schedule_config *c, double lr, int64_t step)
{
    if (c->kind == TG_ONE_CYCLE) return one_cycle(c, lr, (double)step);
    if (step < c->warmup) {
        const double part = (double)step / (double)c->warmup, from = (double)c->warmup_from;
        return lr * (from + (1 - from) * part);
    }
    const int64_t after = step - c->warmup, length = c->total - c->warmup;
    if (c->kind == TG_STEP) return c->every > 0 ? lr * pow((double)c->gamma, (double)(after / c->every)) : (double)NAN;
    const double part = after < length ? (double)after / (double)length : 1;
    return c->kind == TG_COSINE ? half_cosine(lr, (double)c->lr_end, part) : lr;
}

float tg_schedule_at(const tg_schedule_config *config, float lr, int64_t step)
{
    return config ? (float)rate(config, (double)lr, step > 0 ? step : 0) : NAN;
}

/* ---- setting one ---- */

static bool check_numbers(tg_scope *s, const tg_schedule_config *c)
{
    const struct { const char *name; float value; } number[] = {
        { "warmup_from", c->warmup_from }, { "gamma", c->gamma }, { "lr_end", c->lr_end },
        { "pct_start", c->pct_start }, { "div_factor", c->div_factor }, { "final_div_factor", c->final_div_factor },
    };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (!tg_update_wants_number(s, "schedule", number[i].name, (double)number[i].value)) return false;
    if (c->pct_start >= 1) tg_fail(s, "schedule: pct_start %g, want below 1", (double)c->pct_start);
    return tg_ok(s);
}

static void check_counts(tg_scope *s, const tg_schedule_config *c)
{
    const bool has_end = c->kind == TG_COSINE || c->kind == TG_ONE_CYCLE;
    if (c->warmup < 0) tg_fail(s, "schedule: warmup %lld, want at least 0", (long long)c->warmup);
    if (c->kind == TG_STEP && c->every < 1) tg_fail(s, "schedule: every %lld, want at least 1", (long long)c->every);
    if (c->kind == TG_STEP && !(c->gamma > 0)) tg_fail(s, "schedule: gamma %g, want above 0", (double)c->gamma);
    if (has_end && c->total <= c->warmup)
        tg_fail(s, "schedule: total %lld with warmup %lld, want more updates than those of the warm-up",
                (long long)c->total, (long long)c->warmup);
    if (c->kind == TG_ONE_CYCLE && c->warmup > 0)
        tg_fail(s, "schedule: warmup %lld in a one-cycle schedule, want 0: it has its own (pct_start)",
                (long long)c->warmup);
}

void tg_schedule_check(tg_scope *s, const tg_schedule_config *config)
{
    if (tg_ok(s) && (unsigned)config->kind > TG_ONE_CYCLE) tg_fail(s, "schedule: %d is no kind", (int)config->kind);
    if (tg_ok(s) && check_numbers(s, config)) check_counts(s, config);
}

void tg_schedule(tg_scope *s, tg_optim *opt, tg_schedule_config config)
{
    tg_wants_home(s, "schedule", "optimizer", opt ? opt->scope : NULL);
    tg_schedule_check(s, &config);
    if (tg_ok(s)) opt->schedule = config;
}
