/* summary.c - the table of a network's layers.
 *
 * A forward is recorded in a scope of its own and never run, so the table costs neither time nor memory. Modules report
 * their results through `watch`. */
#include "layer.h"
#include "master.h"
#include "run.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const tg_module *top;
    int name_width, kind_width, out_width;
} summary_table;

typedef struct {
    char text[32];
} number_text;

/* 25557032 as "25,557,032" */
static const char *grouped(int64_t n, number_text *buffer)
{
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)n), length = 0;
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0) buffer->text[length++] = ',';
        buffer->text[length++] = digits[i];
    }
    buffer->text[length] = 0;
    return buffer->text;
}

static const char *size_text(int64_t bytes, number_text *buffer)
{
    static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
    double size = (double)bytes / 1024;
    int u = 0;
    for (; size >= 1024 && u < 3; u++) size /= 1024;
    if (bytes < 1024) snprintf(buffer->text, sizeof buffer->text, "%lld B", (long long)bytes);
    else snprintf(buffer->text, sizeof buffer->text, "%.1f %s", size, unit[u]);
    return buffer->text;
}

/* ---- collecting the forward's results ---- */

static int count_outputs(const tg_module *m)
{
    int count = m->n_out;
    for (const tg_module *c = m->first_child; c; c = c->next) count += count_outputs(c);
    return count;
}

/* out NULL: stop watching. Returns where the next module's results go. */
static tg_tensor **watch_outputs(tg_module *m, tg_tensor **out)
{
    m->watch = out;
    if (out) out += m->n_out;
    for (tg_module *c = m->first_child; c; c = c->next) out = watch_outputs(c, out);
    return out;
}

/* ---- rows ---- */

static int64_t bytes_of(const tg_tensor *t) /* including its master's lower half, if it is split */
{
    return tg_count(t) * (int64_t)tg_dtype_size(tg_is_split(t) ? TG_F32 : t->dtype);
}

typedef struct {
    char name[TG_MAX_PATH], kind[160], out[2 * sizeof(tg_shape_text)];
    int64_t params, bytes;
} summary_row;

/* A layer is a module with its own tensors, or without children. */
static bool is_layer(const tg_module *m) { return m->slots || !m->first_child; }

/* "[4, 10], [4, 2]", truncated to fit. */
static void write_shapes(const tg_module *m, char *text, size_t size)
{
    tg_shape_text shape;
    for (int k = 0; k < m->n_out; k++) {
        const size_t length = strlen(text);
        snprintf(text + length, size - length, "%s%s", k ? ", " : "", tg_shape(m->watch[k], &shape));
    }
}

static summary_row row_of(const summary_table *t, const tg_module *m)
{
    summary_row r = { .params = 0 };
    tg_path_within(t->top, m, r.name);
    snprintf(r.kind, sizeof r.kind, *m->detail ? "%.60s(%s)" : "%.60s", m->kind, m->detail);
    if (*m->watch) write_shapes(m, r.out, sizeof r.out);
    else snprintf(r.out, sizeof r.out, "not used");
    for (const tg_slot *slot = m->slots; slot; slot = slot->next) {
        int64_t count = tg_count(slot->tensor);
        r.params += slot->buffer ? 0 : count;
        r.bytes += bytes_of(slot->tensor);
    }
    return r;
}

static void widen(int *width, const char *text)
{
    if ((int)strlen(text) > *width) *width = (int)strlen(text);
}

static void measure(summary_table *t, const tg_module *m)
{
    if (is_layer(m)) {
        const summary_row r = row_of(t, m);
        widen(&t->name_width, r.name);
        widen(&t->kind_width, r.kind);
        widen(&t->out_width, r.out);
    }
    for (const tg_module *c = m->first_child; c; c = c->next) measure(t, c);
}

static void print_summary_line(const summary_table *t, FILE *to, const char *name, const char *kind, const char *out,
                               const char *params, const char *bytes)
{
    fprintf(to, "%-*s  %-*s  %-*s  %12s  %10s\n", t->name_width, name, t->kind_width, kind, t->out_width, out, params,
            bytes);
}

static void print_rows(const summary_table *t, FILE *to, const tg_module *m)
{
    if (is_layer(m)) {
        const summary_row r = row_of(t, m);
        number_text count, size;
        print_summary_line(t, to, r.name, r.kind, r.out, grouped(r.params, &count), size_text(r.bytes, &size));
    }
    for (const tg_module *c = m->first_child; c; c = c->next) print_rows(t, to, c);
}

/* ---- totals: shared tensors count once ---- */

typedef struct {
    int64_t params, frozen, bytes;
} summary_totals;

static void add_up(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)name, (void)owner;
    summary_totals *t = context;
    int64_t count = tg_count(slot->tensor);
    t->params += slot->buffer ? 0 : count;
    t->frozen += slot->buffer || tg_needs_grad(slot->tensor) ? 0 : count;
    t->bytes += bytes_of(slot->tensor);
}

static void print_table(summary_table *t, FILE *to)
{
    number_text count, size, frozen;
    summary_totals sum = { 0 };
    widen(&t->name_width, "layer");
    widen(&t->kind_width, "kind");
    widen(&t->out_width, "output");
    measure(t, t->top);
    tg_each_param(t->top, add_up, &sum);
    print_summary_line(t, to, "layer", "kind", "output", "parameters", "size");
    print_rows(t, to, t->top);
    print_summary_line(t, to, "total", t->top->kind, "", grouped(sum.params, &count), size_text(sum.bytes, &size));
    if (sum.frozen) fprintf(to, "%s of the parameters are frozen\n", grouped(sum.frozen, &frozen));
}

static tg_tensor *input_of(tg_scope *s, const tg_input_shape *shape)
{
    tg_tensor *x = tg_fill(s, 0, shape->rank, shape->dim);
    return shape->dtype == TG_F32 ? x : tg_cast(s, x, shape->dtype);
}

void tg_summary_n(tg_scope *s, tg_module *m, FILE *to, const tg_input_shape *input, int n)
{
    if (!tg_wants_home(s, "summary", "module", m ? m->scope : NULL) || !tg_slots_sound(s, m)) return;
    if (!to || !input) {
        tg_fail(s, "summary: the %s is NULL", to ? "input's shape" : "file");
        return;
    }
    if (n != m->n_in) {
        tg_fail(s, "summary: shapes of inputs: %d, want %d for %s", n, m->n_in, m->kind);
        return;
    }
    tg_scope *scope = tg_push(s);
    const int outputs = count_outputs(m);
    tg_tensor **result = tg_alloc(scope, sizeof *result * (size_t)(outputs + m->n_out + n)), **x = result + outputs;
    summary_table t = { .top = m };
    if (result) {
        watch_outputs(m, result);
        for (int k = 0; k < n; k++) x[k] = input_of(scope, input + k);
        tg_forward_n(scope, m, x, n, x + n, m->n_out);
        if (tg_ok(scope)) print_table(&t, to);
        watch_outputs(m, NULL);
    }
    tg_pop(scope);
}

void tg_summary(tg_scope *s, tg_module *m, FILE *to, int rank, const int64_t *input_dim)
{
    tg_input_shape input = { .rank = rank };
    for (int i = 0; input_dim && i < rank && i < TG_MAX_RANK; i++) input.dim[i] = input_dim[i];
    tg_summary_n(s, m, to, input_dim ? &input : NULL, 1);
}
