/* trace.c - see trace.h. */
#include "trace.h"
#include "dispatch.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool verbose_is(const char *what)
{
    const char *value = getenv("TG_VERBOSE");
    return value && strstr(value, what);
}

static bool is_on(atomic_int *known, const char *what) /* 0: not read yet, 1: no, 2: yes */
{
    if (!*known) *known = 1 + verbose_is(what);
    return *known == 2;
}

bool tg_trace_calls(void)
{
    static atomic_int known;
    return is_on(&known, "1");
}

bool tg_trace_dispatch(void)
{
    static atomic_int known;
    return is_on(&known, "dispatch");
}

bool tg_trace_rewrite(void)
{
    static atomic_int known;
    return is_on(&known, "rewrite");
}

bool tg_trace_graph(void)
{
    static atomic_int known;
    return is_on(&known, "graph");
}

static void shapes(const tg_call *c, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int k = 0; k < c->op->n_in && at < size; k++) {
        tg_shape_text shape;
        if (!c->in[k]) continue;
        int n = snprintf(text + at, size - at, "%s%s", at ? " " : "", tg_shape(c->in[k], &shape));
        at += n > 0 ? (size_t)n : 0;
    }
}

void tg_trace_call(const tg_call *c, double ms)
{
    char in[256];
    const tg_tensor *first = c->out[0] ? c->out[0] : c->in[0];
    shapes(c, in, sizeof in);
    fprintf(stderr, "tilegrad: %-28s %-16s %-8s %s %s %.3f ms", c->op->name, c->kernel->name,
            tg_isa_name(c->kernel->isa), first ? tg_dtype_name(first->dtype) : "", in, ms);
    if (c->epilogue) fprintf(stderr, " with %s", c->epilogue->op->name);
    if (c->is_epilogue) fprintf(stderr, " in the call before");
    else if (c->op->flops && ms > 0) fprintf(stderr, " %.1f GFLOP/s", c->op->flops(c) / ms * 1e-6);
    fprintf(stderr, "%s%s%s\n", *c->where ? " " : "", c->where, c->again ? " again" : "");
}

void tg_trace_pack(const tg_call *c, const char *layout, const tg_tensor *w, double ms)
{
    tg_shape_text shape;
    fprintf(stderr, "tilegrad: %-28s %-16s %-8s %s %s %.3f ms%s%s\n", "pack", layout, "", tg_dtype_name(w->dtype),
            tg_shape(w, &shape), ms, *c->where ? " " : "", c->where);
}

const char *tg_trace_text(const tg_call *c, char text[TG_CALL_TEXT])
{
    char in[256];
    shapes(c, in, sizeof in);
    snprintf(text, TG_CALL_TEXT, "%.64s%s%s%s%.128s", c->op->name, *in ? " " : "", in, *c->where ? " " : "", c->where);
    return text;
}

/* ---- what was printed before ---- */

uint64_t tg_trace_hash(uint64_t hash, const char *text) /* FNV-1a */
{
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

bool tg_trace_is_new(uint64_t hash)
{
    static _Atomic uint64_t seen[4096];
    for (int i = 0; i < 4096; i++) {
        _Atomic uint64_t *slot = seen + (hash + (uint64_t)i) % 4096;
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(slot, &empty, hash | 1)) return true;
        if (empty == (hash | 1)) return false;
    }
    return true;
}

void tg_trace_choice(const tg_call *c)
{
    char in[256];
    shapes(c, in, sizeof in);
    if (!tg_trace_is_new(tg_trace_hash(tg_trace_hash(TG_TRACE_HASH, c->op->name), in))) return;
    fprintf(stderr, "tilegrad: %s %s: %s\n", c->op->name, in, c->kernel ? c->kernel->name : "no kernel");
    for (const tg_kernel *const *k = c->op->kernels; k && *k; k++) {
        if (*k == c->kernel) break;
        const char *why = tg_kernel_refusal(*k, c);
        if (why) fprintf(stderr, "tilegrad:     not %s: %s\n", (*k)->name, why);
    }
}
