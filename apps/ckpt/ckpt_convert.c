/* ckpt_convert.c - `tilegrad ckpt convert`: converts to another format or dtype. */
#include "ckpt.h"
#include "ckpt_round.h"
#include "options.h"
#include <string.h>

enum { DTYPE = 'd', V2 = 0x100 };

typedef struct {
    option_arguments files;
    const round_format *format, *v2;
} convert_options;

static const struct argp_option table[] = {
    { "dtype", DTYPE, "TYPE", 0, "f32, bf16 or f16: convert all float tensors (default: copy them)", 0 },
    { "v2", V2, "TYPE", 0, "bf16 or f16: what NumPy's dtype V2 holds; NumPy saves ml_dtypes' bfloat16 as V2", 0 },
    { 0 },
};

static const char about[] =
    "Writes the tensors of IN to OUT, as .npz if its name ends in .npz, otherwise as safetensors.  --dtype rounds "
    "float tensors to nearest and reports the rounding errors; integer tensors are copied.  Metadata are kept, but "
    ".npz has neither metadata nor bf16.  Tensors that can't be read, or whose dtype OUT can't hold, are left out and "
    "reported; the exit status is then 1.\v"
    "Examples:\n"
    "  tilegrad ckpt convert weights.npz weights.safetensors\n"
    "  tilegrad ckpt convert run.safetensors small.safetensors --dtype bf16\n"
    "  tilegrad ckpt convert run.safetensors run.npz --dtype f32";

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const choices[] = { "f32", "bf16", "f16", NULL }, *const dtypes[] = { "F32", "BF16", "F16" };
    static const char *const halves[] = { "bf16", "f16", NULL };
    convert_options *const o = state->input;
    if (key == V2) {
        o->v2 = round_find(dtypes[1 + option_choice(state, "--v2", text, halves)]);
        return 0;
    }
    if (key != DTYPE) return option_take_arguments(key, state, "IN and OUT", 2, 2, &o->files);
    o->format = round_find(dtypes[option_choice(state, "--dtype", text, choices)]);
    return 0;
}

typedef struct {
    tg_tensor_file *in;
    const round_format *format; /* NULL: copy bytes */
    round_errors *errors;       /* [in->n] */
    ckpt_numbers *room;
    int left_out;
} conversion;

static bool is_converted(const conversion *v, const tg_file_tensor *in)
{
    return v->format && ckpt_kind_of(in) == CKPT_FLOATS && strcmp(in->dtype, v->format->dtype) != 0;
}

static bool produce(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to)
{
    conversion *const v = context;
    const tg_file_tensor *const in = &v->in->tensor[t->tag];
    if (!is_converted(v, in)) return ckpt_produce_copy(c, v->in, t, from, n, to);
    const uint64_t size = (uint64_t)v->format->size;
    const int64_t last = (int64_t)((from + n) / size);
    for (int64_t at = (int64_t)(from / size), some; at < last; at += some) {
        some = last - at < CKPT_PIECE ? last - at : CKPT_PIECE;
        if (!ckpt_read(c, v->in, t->tag, at, some, v->room)) return false;
        round_numbers(v->format, v->room->floats, some, (char *)to + ((uint64_t)at * size - from), &v->errors[t->tag]);
        if (!ckpt_step(c, in->bytes / (uint64_t)ckpt_count(in) * (uint64_t)some)) return false;
    }
    return true;
}

/* ---- the report ---- */

static void print_errors(const char *name, const round_errors *e)
{
    ckpt_text inexact;
    printf("  %-40s  %12s  %10.3g  %10.3g", name, ckpt_whole((uint64_t)e->inexact, &inexact), e->absolute, e->relative);
    if (e->zeros) printf("  %lld became 0", (long long)e->zeros);
    if (e->overflows) printf("  %lld became infinite", (long long)e->overflows);
    printf("\n");
}

static void report(const conversion *v)
{
    round_errors all = { 0 };
    tg_name_text name;
    ckpt_text tensors;
    int converted = 0, exact = 0;
    for (int i = 0; i < v->in->n; i++) {
        const round_errors *const e = &v->errors[i];
        converted += is_converted(v, &v->in->tensor[i]);
        exact += is_converted(v, &v->in->tensor[i]) && !e->inexact;
        if (!e->inexact) continue;
        if (!all.inexact)
            printf("  %-40s  %12s  %10s  %10s\n", "rounded", "numbers", "absolute", "relative (largest errors)");
        print_errors(tg_printable(v->in->tensor[i].name, &name), e);
        round_add(&all, e);
    }
    if (all.inexact) print_errors("all", &all);
    if (v->format) printf("%s to %s, %d of them exactly; ", ckpt_tensors(converted, &tensors), v->format->dtype, exact);
    printf("%s as they are\n", ckpt_tensors(v->in->n - v->left_out - converted, &tensors));
}

/* Replaces V2 by the dtype that it holds. */
static void interpret(ckpt *c, tg_tensor_file *in, const round_format *v2)
{
    for (int i = 0; v2 && i < in->n; i++)
        if (strspn(in->tensor[i].dtype, "<>=|") == 1 && !strcmp(in->tensor[i].dtype + 1, "V2"))
            tg_tensor_file_reinterpret(c->root, in, i, v2->dtype);
}

/* Refuses float dtypes that --dtype can't convert: F4, F6. */
static void refuse_unconverted(ckpt *c, const conversion *v)
{
    for (int i = 0; v->format && i < v->in->n; i++) {
        const tg_file_tensor *const t = &v->in->tensor[i];
        tg_name_text name, dtype;
        if (*t->dtype == 'F' && ckpt_kind_of(t) != CKPT_FLOATS)
            tg_fail(c->root, "%s: tensor '%s': %s cannot be converted to %s", v->in->path, tg_printable(t->name, &name),
                    tg_printable(t->dtype, &dtype), v->format->dtype);
    }
}

static void convert(ckpt *c, conversion *v, const char *path)
{
    int n, n_meta;
    refuse_unconverted(c, v);
    v->errors = tg_alloc(c->root, sizeof *v->errors * ((size_t)v->in->n + 1));
    v->room = tg_alloc(c->root, sizeof *v->room);
    tg_file_tensor *const tensors = ckpt_select(c, v->in, NULL, &n);
    const tg_file_meta *const meta = ckpt_select_meta(c, v->in, NULL, &n_meta);
    for (int k = 0; tensors && k < n; k++)
        if (is_converted(v, &tensors[k])) tensors[k].dtype = v->format->dtype;
    const ckpt_output o = { path, tensors, n, n_meta, meta, produce, v };
    if (!tg_ok(c->root) || !ckpt_write(c, &o)) return;
    status_clear(&c->line);
    v->left_out = c->left_out;
    report(v);
}

int ckpt_convert(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "IN OUT", about, NULL, NULL, NULL };
    convert_options o = { .format = NULL };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    ckpt c = ckpt_begin(argv[0]);
    conversion v = { .in = tg_tensor_file_open(c.root, o.files.at[0]), .format = o.format };
    if (v.in) interpret(&c, v.in, o.v2);
    if (v.in) convert(&c, &v, o.files.at[1]);
    return ckpt_end(&c, EXIT_OK);
}
