/* ckpt_average.c - `tilegrad ckpt average`: the mean of several checkpoints (stochastic weight averaging). */
#include "ckpt.h"
#include "ckpt_round.h"
#include "options.h"
#include "output.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Writes to OUT the arithmetic mean of the files' float tensors, computed in double and rounded once; integer "
    "tensors are copied from the last file.  Names, shapes and dtypes must agree.  Optimizer states (optim/...) are "
    "left out; metadata without '/' and made/... are copied from the first file.  Running statistics of batch norm "
    "are averaged, too: measure them again if that matters.\v"
    "Examples:\n"
    "  tilegrad ckpt average swa.safetensors runs/lenet/ckpt-*.safetensors\n"
    "  tilegrad ckpt average mean.npz a.safetensors b.npz";

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    return option_take_arguments(key, state, "OUT and at least two files", 3, INT_MAX, state->input);
}

typedef struct {
    tg_tensor_file **file;
    int n;
    ckpt_numbers *room;
    double *sum; /* [CKPT_PIECE] */
} average;

static bool is_averaged(const char *name) { return strncmp(name, "optim/", 6) != 0; }

/* ---- checking that the files agree ---- */

static int complain(const char *name, const char *trouble, const char *path)
{
    tg_name_text text;
    output_text room;
    fprintf(stderr, "  %s: %s %s\n", tg_printable(name, &text), trouble, output_name(path, &room));
    return 1;
}

/* Reports the differences and returns their number. */
static int compare_contents(const tg_tensor_file *first, const tg_tensor_file *other)
{
    int n = 0;
    for (int i = 0; i < first->n; i++) {
        const tg_file_tensor *const t = &first->tensor[i];
        const int k = tg_tensor_file_find(other, t->name);
        const tg_file_tensor *const u = k < 0 ? NULL : &other->tensor[k];
        if (!is_averaged(t->name)) continue;
        if (!u) n += complain(t->name, "missing in", other->path);
        else if (t->rank != u->rank || memcmp(t->dim, u->dim, sizeof *t->dim * (size_t)t->rank))
            n += complain(t->name, "has another shape in", other->path);
        else if (strcmp(t->dtype, u->dtype)) n += complain(t->name, "has another dtype in", other->path);
    }
    for (int k = 0; k < other->n; k++)
        if (is_averaged(other->tensor[k].name) && tg_tensor_file_find(first, other->tensor[k].name) < 0)
            n += complain(other->tensor[k].name, "only in", other->path);
    return n;
}

static bool agree(ckpt *c, const average *v)
{
    int differences = 0;
    for (int i = 1; i < v->n; i++) differences += compare_contents(v->file[0], v->file[i]);
    if (differences) tg_fail(c->root, "%d differences: the files don't agree with %s", differences, v->file[0]->path);
    return tg_ok(c->root);
}

/* ---- averaging ---- */

static bool add_up(ckpt *c, average *v, const char *name, int64_t first, int64_t n)
{
    memset(v->sum, 0, sizeof *v->sum * (size_t)n);
    for (int i = 0; i < v->n; i++) {
        const int k = tg_tensor_file_find(v->file[i], name);
        const tg_file_tensor *const t = &v->file[i]->tensor[k];
        if (!ckpt_read(c, v->file[i], k, first, n, v->room)) return false;
        for (int64_t j = 0; j < n; j++) v->sum[j] += v->room->floats[j];
        if (!ckpt_step(c, t->bytes / (uint64_t)ckpt_count(t) * (uint64_t)n)) return false;
    }
    for (int64_t j = 0; j < n; j++) v->sum[j] /= v->n;
    return true;
}

static bool produce(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to)
{
    average *const v = context;
    tg_tensor_file *const last = v->file[v->n - 1];
    if (ckpt_kind_of(t) != CKPT_FLOATS)
        return tg_tensor_file_read(c->root, last, tg_tensor_file_find(last, t->name), from, n, to) && ckpt_step(c, n);
    const round_format *const format = round_find(t->dtype);
    const uint64_t size = (uint64_t)format->size;
    const int64_t end = (int64_t)((from + n) / size);
    for (int64_t at = (int64_t)(from / size), some; at < end; at += some) {
        some = end - at < CKPT_PIECE ? end - at : CKPT_PIECE;
        if (!add_up(c, v, t->name, at, some)) return false;
        round_numbers(format, v->sum, some, (char *)to + ((uint64_t)at * size - from), NULL);
    }
    return true;
}

static void average_files(ckpt *c, average *v, const char *path)
{
    int n, n_meta;
    v->room = tg_alloc(c->root, sizeof *v->room);
    v->sum = tg_alloc(c->root, sizeof *v->sum * CKPT_PIECE);
    tg_file_tensor *const tensors = ckpt_select(c, v->file[0], is_averaged, &n);
    const tg_file_meta *const meta = ckpt_select_meta(c, v->file[0], ckpt_meta_of_model, &n_meta);
    int floats = 0;
    for (int k = 0; tg_ok(c->root) && k < n; k++) {
        tg_name_text name;
        const bool is_float = ckpt_kind_of(&tensors[k]) == CKPT_FLOATS;
        floats += is_float;
        if (is_float) c->total += tensors[k].bytes * (uint64_t)(v->n - 1);
        if (is_float && !round_find(tensors[k].dtype))
            tg_fail(c->root, "%s: %s: can't average %s", v->file[0]->path, tg_printable(tensors[k].name, &name),
                    tensors[k].dtype);
    }
    const ckpt_output o = { path, tensors, n, n_meta, meta, produce, v };
    if (!tg_ok(c->root) || !agree(c, v) || !ckpt_write(c, &o)) return;
    status_clear(&c->line);
    ckpt_text many;
    printf("%s averaged over %d files, %d taken from the last\n", ckpt_tensors(floats, &many), v->n, n - floats);
}

int ckpt_average(int argc, char **argv)
{
    static const struct argp parser = { NULL, parse, "OUT A B...", about, NULL, NULL, NULL };
    option_arguments files = { NULL, 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &files);
    ckpt c = ckpt_begin(argv[0]);
    average v = { .n = files.n - 1 };
    v.file = tg_alloc(c.root, sizeof *v.file * (size_t)v.n);
    for (int i = 0; i < v.n && tg_ok(c.root); i++) v.file[i] = tg_tensor_file_open(c.root, files.at[i + 1]);
    if (tg_ok(c.root)) average_files(&c, &v, files.at[0]);
    return ckpt_end(&c, EXIT_OK);
}
