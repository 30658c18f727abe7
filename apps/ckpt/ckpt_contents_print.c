/* ckpt_contents_print.c - a file's table of contents as a tree. */
#include "ckpt_contents.h"
#include "output.h"
#include <string.h>

enum { INDENT = 2, WIDEST = 48 };

typedef struct {
    int name, dtype, shape;
} widths;

static int wider(int a, int b) { return a > b ? a : b; }

static size_t component_length(const char *name) { return strcspn(name, "./"); }

/* The component of a name that starts here, up to the next dot. */
static const char *component(const char *from, tg_name_text *text)
{
    char part[513];
    size_t n = component_length(from);
    n = n < sizeof part ? n : sizeof part - 1;
    memcpy(part, from, n);
    part[n] = 0;
    return tg_printable(part, text);
}

/* The last component of a name, and its depth. */
static const char *leaf(const char *name, int *depth)
{
    *depth = 1;
    for (const char *at; (at = name + component_length(name)), *at; name = at + 1) ++*depth;
    return name;
}

static widths measure_columns(const contents *all)
{
    widths w = { 0 };
    for (int i = 0; i < all->file->n; i++) {
        const tg_file_tensor *const t = &all->file->tensor[i];
        tg_name_text text;
        ckpt_text shape;
        int depth;
        const char *const last = leaf(contents_name(t), &depth);
        w.name = wider(w.name, INDENT * depth + (int)strlen(component(last, &text)));
        w.dtype = wider(w.dtype, (int)strlen(t->dtype));
        w.shape = wider(w.shape, (int)strlen(ckpt_shape(t, &shape)));
    }
    w.name = w.name < WIDEST ? w.name : WIDEST;
    w.shape = w.shape < WIDEST ? w.shape : WIDEST;
    return w;
}

/* Prints the components of a name that it doesn't share with the preceding name. */
static void print_branches(const char *name, const char *before, FILE *to)
{
    bool shared = before != NULL;
    int depth = 1;
    for (size_t n; n = component_length(name), name[n]; name += n + 1, depth++) {
        tg_name_text text;
        shared = shared && component_length(before) == n && before[n] && !strncmp(name, before, n);
        if (shared) before += n + 1;
        else fprintf(to, "%*s%s\n", INDENT * depth, "", component(name, &text));
    }
}

static void print_stats(const ckpt_stats *stats, FILE *to)
{
    if (!stats->known) fprintf(to, "  (not measured: dtype)");
    else if (stats->finite)
        fprintf(to, "  %12.5g %12.5g %12.5g %6lld %6lld", stats->min, stats->max, stats->mean, (long long)stats->nan,
                (long long)stats->inf);
    else fprintf(to, "  %12s %12s %12s %6lld %6lld", "-", "-", "-", (long long)stats->nan, (long long)stats->inf);
}

static void print_tensor(const contents *all, const widths *w, int i, FILE *to)
{
    const tg_file_tensor *const t = &all->file->tensor[i];
    tg_name_text text, dtype;
    ckpt_text shape, size;
    int depth;
    const char *const last = leaf(contents_name(t), &depth);
    fprintf(to, "%*s%-*s  %-*s  %-*s  %10s", INDENT * depth, "", w->name - INDENT * depth, component(last, &text),
            w->dtype, tg_printable(t->dtype, &dtype), w->shape, ckpt_shape(t, &shape), ckpt_size(t->bytes, &size));
    if (t->trouble) fprintf(to, "  cannot be read: %s", t->trouble);
    else if (all->stats) print_stats(&all->stats[i], to);
    fprintf(to, "\n");
}

static void print_section(const contents *all, const widths *w, const contents_section *in, FILE *to)
{
    tg_name_text text;
    ckpt_text tensors, numbers, size;
    const char *before = NULL;
    fprintf(to, "\n%s: %s, %s numbers, %s\n", tg_printable(in->name, &text), ckpt_tensors(in->n, &tensors),
            ckpt_whole(in->numbers, &numbers), ckpt_size(in->bytes, &size));
    for (int k = in->first; k < in->first + in->n; k++) {
        const char *const name = contents_name(&all->file->tensor[all->order[k]]);
        print_branches(name, before, to);
        print_tensor(all, w, all->order[k], to);
        before = name;
    }
}

static void print_metadata(const tg_tensor_file *f, FILE *to)
{
    if (f->n_meta) fprintf(to, "\nmetadata: %d entries\n", f->n_meta);
    for (int i = 0; i < f->n_meta; i++) {
        tg_name_text key, value;
        fprintf(to, "  %s = %s\n", tg_printable(f->meta[i].key, &key), tg_printable(f->meta[i].value, &value));
    }
}

void contents_print(const contents *all, FILE *to)
{
    const widths w = measure_columns(all);
    uint64_t numbers = 0, bytes = 0;
    ckpt_text tensors, count, size;
    output_text path;
    for (int i = 0; i < all->n; i++) {
        numbers += all->section[i].numbers;
        bytes += all->section[i].bytes;
    }
    fprintf(to, "%s: %s%s, %s, %s numbers, %s\n", output_name(all->file->path, &path), all->file->format,
            all->file->marked ? " by tilegrad, with checksums" : "", ckpt_tensors(all->file->n, &tensors),
            ckpt_whole(numbers, &count), ckpt_size(bytes, &size));
    if (all->stats)
        fprintf(to, "\n%*s  %12s %12s %12s %6s %6s", w.name + w.dtype + w.shape + 14, "", "min", "max", "mean", "NaN",
                "Inf");
    for (int i = 0; i < all->n; i++) print_section(all, &w, &all->section[i], to);
    print_metadata(all->file, to);
}
