/* explain.c - see explain.h. */
#include "explain.h"
#include "trace.h"
#include <stdio.h>

void tg_explain_begin(tg_list *l)
{
    if (!tg_trace_rewrite() && !tg_trace_graph()) return;
    tg_notes *const notes = tg_run_take(l, sizeof *notes);
    tg_fate *const fates = tg_run_take(l, 2 * sizeof *fates * (size_t)l->n);
    if (!notes || !fates) return;
    *notes = (tg_notes){ .fates = fates, .n = l->n, .recorded = l->n, .capacity = 2 * l->n };
    for (int i = 0; i < l->n; i++) fates[i].call = l->at[i];
    l->notes = notes;
    if (tg_trace_graph()) tg_graph_begin(l);
}

void tg_explain_end(tg_list *l)
{
    if (!l->notes) return;
    uint64_t hash = TG_TRACE_HASH;
    for (const tg_line *line = l->notes->text.first; line; line = line->next) hash = tg_trace_hash(hash, line->text);
    if (tg_trace_rewrite() && tg_trace_is_new(hash)) {
        fprintf(stderr, "tilegrad: rewrite: %d calls recorded, %d to run\n", l->notes->recorded, l->n);
        for (const tg_line *line = l->notes->text.first; line; line = line->next)
            fprintf(stderr, "tilegrad: %s\n", line->text);
    }
    if (tg_trace_graph()) tg_graph_end(l);
}

/* ---- rewriting ---- */

void tg_explain_chain(tg_list *l, const tg_chain *c, tg_outcome outcome, const tg_call *fused)
{
    char why[TG_NOTE_BYTES] = "", text[TG_NOTE_BYTES];
    const int missing = tg_rule_length(c->rule) - c->length;
    const char *kept = NULL;
    if (outcome != TG_FUSED) {
        tg_misfit(l, c, outcome, why);
        snprintf(text, sizeof text, "not %s: %.900s", c->rule->fused->name, why);
    }
    for (int j = 0; j < c->length; j++) {
        tg_fate *const f = tg_fate_of(l, c->call[j]);
        if (!f) continue;
        if (outcome == TG_FUSED) f->fused = fused;
        if (outcome == TG_FUSED || (f->nearest && f->missing < missing)) continue;
        if (f->nearest && f->missing == missing && f->matched >= c->length) continue;
        if (!kept) kept = tg_note_keep(l, text);
        f->nearest = kept;
        f->missing = missing;
        f->matched = c->length;
    }
}

/* The call that runs in its place: a fused call may be part of another one. */
static const tg_call *fused_into(tg_list *l, const tg_fate *f)
{
    const tg_call *c = f->fused;
    for (const tg_fate *next = tg_fate_of(l, c); next && next->fused; next = tg_fate_of(l, c)) c = next->fused;
    return c;
}

void tg_explain_rewrite(tg_list *l)
{
    for (int i = 0; i < l->notes->recorded; i++) {
        const tg_fate *const f = l->notes->fates + i;
        char call[TG_CALL_TEXT];
        tg_trace_text(f->call, call);
        if (!l->program->options.fuse) tg_note(l, &l->notes->text, "rewrite %s: rewriting is off", call);
        else if (f->fused) tg_note(l, &l->notes->text, "rewrite %s: part of %s", call, fused_into(l, f)->op->name);
        else if (f->nearest) tg_note(l, &l->notes->text, "rewrite %s: %s", call, f->nearest);
        else tg_note(l, &l->notes->text, "rewrite %s: no rule begins with %s", call, f->call->op->name);
    }
}

/* ---- the other passes ---- */

void tg_explain_peak(tg_list *l, int64_t held, int64_t least)
{
    const double mib = 1 << 20;
    if (held < least)
        tg_note(l, &l->notes->text, "recompute: %.1f MiB at the peak, want %.1f to compute values again",
                (double)held / mib, (double)least / mib);
}

/* A later pass may decide otherwise; the last word counts, but "computed again" stays. */
void tg_explain_recompute(tg_list *l, const tg_call *c, const char *why, const tg_call *before)
{
    char call[TG_CALL_TEXT];
    tg_fate *const f = tg_fate_of(l, c);
    if (!f || (f->recompute && *f->recompute == 'c')) return;
    tg_trace_text(c, call);
    if (why) tg_note(l, &l->notes->text, "recompute %s: kept: %s", call, why);
    else
        tg_note(l, &l->notes->text, "recompute %s: computed again before %s%s%s", call, before->op->name,
                *before->where ? " " : "", before->where);
    f->recompute = why ? "kept" : "computed again";
}

void tg_explain_epilogue(tg_list *l, const tg_call *c, const char *why)
{
    const tg_value *const v = c->out[0] ? c->out[0]->storage->value : NULL;
    const tg_call *const reader = v && v->readers == 1 ? v->reader : NULL;
    char call[TG_CALL_TEXT];
    if (why && !(c->kernel->makes && c->kernel->makes(c)) && !(reader && reader->kernel->takes)) return;
    tg_trace_text(c, call);
    if (!why) tg_note(l, &l->notes->text, "epilogue %s: %s runs in its tasks", call, reader->op->name);
    else
        tg_note(l, &l->notes->text, "epilogue %s: none: %s%s%s%s", call, why, reader ? " (" : "",
                reader ? reader->op->name : "", reader ? ")" : "");
}

void tg_explain_packing(tg_list *l, const tg_call *c)
{
    char call[TG_CALL_TEXT];
    const tg_packing *const p = c->packing;
    if (!p) return;
    tg_trace_text(c, call);
    tg_note(l, &l->notes->text, "pack %s: in[%d] as %s, %.1f KiB, %s", call, p->input, p->layout->name,
            (double)p->bytes / 1024, p->kept ? "kept with the weight" : "in scratch: tg_optimize has not prepared it");
}
