/* optimize.c - see optimize.h. Everything that can fail comes first: the report, the list of weights, their halves.
 * Then weights are marked. */
#include "optimize.h"
#include "cpu.h"
#include "layer.h"
#include "master.h"
#include "run.h"
#include "update.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    tg_scope *scope;
    const tg_module *top;
    bool bf16, prepack;
    tg_optimize_report report;
    tg_tensor **weights; /* for each row: its product weight, or NULL */
} optimize_work;

/* The parameter that a layer's row is about: the operand of its products, or the first one; NULL: none. */
static const tg_slot *main_slot(const tg_module *m)
{
    const tg_slot *first = NULL;
    for (const tg_slot *slot = m->slots; slot; slot = slot->next) {
        if (!slot->buffer && !slot->f32_because) return slot;
        if (!slot->buffer && !first) first = slot;
    }
    return first;
}

static int count_layers(const tg_module *m)
{
    int n = main_slot(m) != NULL;
    for (const tg_module *c = m->first_child; c; c = c->next) n += count_layers(c);
    return n;
}

/* ---- the report ---- */

static const char *shared_with(const optimize_work *w, const tg_tensor *t)
{
    for (int i = 0; i < w->report.n; i++) {
        if (w->weights[i] != t) continue;
        const char *other = w->report.rows[i].name;
        char *text = tg_alloc(w->scope, strlen(other) + sizeof "shared with ");
        return text ? strcat(strcpy(text, "shared with "), other) : "";
    }
    return NULL;
}

static const char *why(const optimize_work *w, const tg_slot *slot)
{
    if (slot->f32_because) return slot->f32_because;
    const char *shared = shared_with(w, slot->tensor);
    if (shared) return shared;
    if (tg_is_split(slot->tensor)) return w->bf16 ? "was BF16 before" : "is BF16, and stays so";
    if (!w->bf16) return w->report.dtype == TG_BF16 && !*w->report.note ? "switched off" : "";
    return tg_needs_grad(slot->tensor) ? "" : "frozen";
}

static void add_rows(optimize_work *w, const tg_module *m)
{
    const tg_slot *slot = main_slot(m);
    char path[TG_MAX_PATH];
    if (slot) {
        const bool product = !slot->f32_because;
        tg_path_within(w->top, m, path);
        const tg_optimize_row row = {
            .name = tg_strdup(w->scope, path),
            .kind = m->kind,
            .bf16 = product && (w->bf16 || tg_is_split(slot->tensor)),
            .packed = product && w->prepack,
            .why = why(w, slot),
        };
        w->weights[w->report.n] = product ? slot->tensor : NULL;
        w->report.rows[w->report.n++] = row;
    }
    for (const tg_module *c = m->first_child; c; c = c->next) add_rows(w, c);
}

static const char *note_of(tg_dtype dtype, tg_optimize_config config)
{
    if (config.level == TG_O0) return "level O0: nothing was changed";
    if (dtype == TG_BF16 && tg_max_isa() < TG_ISA_AVX512) return "no AVX-512 here: computes in FP32";
    return "";
}

static void print_report_line(FILE *to, int width, const char *name, const char *kind, const char *weight,
                              const char *packed, const char *why)
{
    fprintf(to, "%-*s  %-16s  %-6s  %-6s  %s\n", width, name, kind, weight, packed, why);
}

void tg_print_report(const tg_optimize_report *r, FILE *to)
{
    int width = 5;
    if (!r || !to) return;
    for (int i = 0; i < r->n; i++)
        if ((int)strlen(r->rows[i].name) > width) width = (int)strlen(r->rows[i].name);
    print_report_line(to, width, "layer", "kind", "weight", "packed", "");
    for (int i = 0; i < r->n; i++) {
        const tg_optimize_row *row = r->rows + i;
        print_report_line(to, width, row->name, row->kind, row->bf16 ? "BF16" : "FP32", row->packed ? "kept" : "-",
                          row->why);
    }
    if (*r->note) fprintf(to, "%s\n", r->note);
}

/* ---- the pass ---- */

static bool check_optimize(tg_scope *s, const tg_module *m, const tg_optim *opt, tg_dtype dtype)
{
    if (tg_wants_home(s, "optimize", "module", m ? m->scope : NULL)) tg_slots_sound(s, m);
    if (opt) tg_wants_home(s, "optimize", "optimizer", opt->scope);
    if (tg_ok(s) && dtype != TG_BF16 && dtype != TG_F32)
        tg_fail(s, "optimize: dtype %s, want bf16 or f32", tg_dtype_size(dtype) ? tg_dtype_name(dtype) : "unknown");
    return tg_ok(s);
}

static void split_weights(const optimize_work *w)
{
    tg_tensor **list = tg_alloc(w->scope, sizeof *list * (size_t)(w->report.n + 1));
    int n = 0;
    for (int i = 0; list && i < w->report.n; i++)
        if (w->weights[i] && !tg_is_split(w->weights[i])) list[n++] = w->weights[i];
    if (list) tg_split_masters(w->scope, list, n);
}

const tg_optimize_report *tg_optimize_with(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype,
                                           tg_optimize_config config)
{
    /* The optimizer's states stay FP32; updates find the master by themselves. */
    if (!check_optimize(s, m, opt, dtype)) return NULL;
    const int n = count_layers(m);
    optimize_work w = { .scope = s, .top = m, .report = { .dtype = dtype, .note = note_of(dtype, config) } };
    w.bf16 = dtype == TG_BF16 && !config.no_bf16 && !*w.report.note;
    w.prepack = !config.no_prepack && config.level != TG_O0;
    w.report.rows = tg_alloc(s, sizeof *w.report.rows * (size_t)(n + 1));
    w.weights = tg_alloc(s, sizeof *w.weights * (size_t)(n + 1));
    tg_optimize_report *report = tg_alloc(s, sizeof *report);
    if (tg_ok(s)) add_rows(&w, m);
    if (tg_ok(s) && w.bf16) split_weights(&w);
    if (!tg_ok(s)) return NULL;
    for (int i = 0; i < n; i++)
        if (w.weights[i] && w.prepack) tg_keep_packs(w.weights[i]);
    if (w.bf16 && config.level != TG_O0) m->f32_out = !config.bf16_out;
    *report = w.report;
    return report;
}

const tg_optimize_report *tg_optimize(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype)
{
    return tg_optimize_with(s, m, opt, dtype, (tg_optimize_config){ 0 });
}
