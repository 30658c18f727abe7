/* ckpt_diff.c - `tilegrad ckpt diff`: what differs between two files. */
#include "ckpt_compare.h"
#include "options.h"
#include <string.h>

static const char about[] =
    "Compares the tensors of two files by name.  Reports those in one file only, those with other shapes or dtypes, "
    "and for each tensor with different elements their number and the largest absolute and relative difference.  -0 "
    "equals 0, and NaNs are equal if their bits are.  Differences in metadata are reported, but don't affect the exit "
    "status.\v"
    "Examples:\n"
    "  tilegrad ckpt diff before.safetensors after.safetensors\n"
    "  tilegrad ckpt diff run.safetensors run.npz && echo same numbers\n\n"
    "Exit status: 0 same tensors with the same elements, 1 different, or an error.";

typedef struct {
    tg_tensor_file *a, *b;
    int same, differ;  /* tensors in both files with the same and with different elements */
    int others;        /* tensors in one file only, or with another shape or dtype */
    int width;         /* of the column of names */
    const char *first; /* the first tensor that differs, in A's order; NULL: none */
} difference;

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    return option_take_arguments(key, state, "A and B", 2, 2, state->input);
}

/* ---- names, shapes, dtypes ---- */

static void print_lacking(difference *d, const tg_tensor_file *in, const tg_tensor_file *other, const char *title)
{
    for (int i = 0; i < in->n; i++) {
        const tg_file_tensor *const t = &in->tensor[i];
        tg_name_text name;
        ckpt_text shape;
        if (tg_tensor_file_find(other, t->name) >= 0) continue;
        if (*title) printf("%s\n", title);
        printf("  %-*s  %s %s\n", d->width, tg_printable(t->name, &name), t->dtype, ckpt_shape(t, &shape));
        title = "";
        d->others++;
    }
}

static bool same_shape(const tg_file_tensor *t, const tg_file_tensor *u)
{
    return t->rank == u->rank && !memcmp(t->dim, u->dim, sizeof *t->dim * (size_t)t->rank);
}

static bool same_type(const tg_file_tensor *t, const tg_file_tensor *u)
{
    return same_shape(t, u) && !strcmp(t->dtype, u->dtype);
}

/* The dtypes may differ if both are numeric. */
static bool comparable(const tg_file_tensor *t, const tg_file_tensor *u)
{
    const ckpt_kind kind = ckpt_kind_of(t);
    return same_type(t, u) || (same_shape(t, u) && kind == ckpt_kind_of(u) && kind != CKPT_OTHER);
}

static void print_types(difference *d)
{
    const char *title = "of another shape or dtype:\n";
    for (int i = 0; i < d->a->n; i++) {
        const int k = tg_tensor_file_find(d->b, d->a->tensor[i].name);
        const tg_file_tensor *const t = &d->a->tensor[i], *const u = k < 0 ? NULL : &d->b->tensor[k];
        tg_name_text name;
        ckpt_text a, b;
        if (!u || same_type(t, u)) continue;
        printf("%s  %-*s  %s %s in A, %s %s in B\n", title, d->width, tg_printable(t->name, &name), t->dtype,
               ckpt_shape(t, &a), u->dtype, ckpt_shape(u, &b));
        title = "";
        d->others++;
    }
}

static void print_metadata(const difference *d)
{
    int differ = 0;
    for (int i = 0; i < d->a->n_meta; i++) {
        const char *const there = tg_tensor_file_meta(d->b, d->a->meta[i].key);
        tg_name_text key, a, b;
        if (there && !strcmp(there, d->a->meta[i].value)) continue;
        printf("%s  %s: %s in A, %s in B\n", differ++ ? "" : "metadata:\n", tg_printable(d->a->meta[i].key, &key),
               tg_printable(d->a->meta[i].value, &a), there ? tg_printable(there, &b) : "nothing");
    }
    for (int i = 0; i < d->b->n_meta; i++) {
        tg_name_text key, b;
        if (tg_tensor_file_meta(d->a, d->b->meta[i].key)) continue;
        printf("%s  %s: nothing in A, %s in B\n", differ++ ? "" : "metadata:\n", tg_printable(d->b->meta[i].key, &key),
               tg_printable(d->b->meta[i].value, &b));
    }
}

/* ---- numbers ---- */

static void print_index(const tg_file_tensor *t, int64_t at)
{
    int64_t index[TG_MAX_RANK];
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = at % t->dim[k];
        at /= t->dim[k];
    }
    printf("[");
    for (int k = 0; k < t->rank; k++) printf("%s%lld", k ? ", " : "", (long long)index[k]);
    printf("]");
}

static void print_elements(const ckpt *c, difference *d, const tg_file_tensor *t, const comparison *r)
{
    tg_name_text name;
    ckpt_text count, all;
    const bool bytes = ckpt_kind_of(t) == CKPT_OTHER;
    status_clear(&c->line);
    printf("%s  %-*s  %s of %s %s", d->differ ? "" : "numbers:\n", d->width, tg_printable(t->name, &name),
           ckpt_whole((uint64_t)r->differ, &count), ckpt_whole(bytes ? t->bytes : (uint64_t)ckpt_count(t), &all),
           bytes ? "bytes" : "differ");
    if (r->absolute > 0) {
        printf(", by %.4g at most (relative %.3g): %.9g and %.9g at ", r->absolute, r->relative, r->here, r->there);
        print_index(t, r->at);
    }
    if (r->nan) printf(", %s with a NaN", ckpt_whole((uint64_t)r->nan, &count));
    printf("\n");
}

static void compare_numbers(ckpt *c, difference *d)
{
    compare_room *const room = tg_alloc(c->root, sizeof *room);
    for (int i = 0; room && i < d->a->n && tg_ok(c->root); i++) {
        const tg_file_tensor *const t = &d->a->tensor[i];
        const int k = tg_tensor_file_find(d->b, t->name);
        if (k < 0 || !comparable(t, &d->b->tensor[k])) {
            if (!d->first) d->first = t->name;
            continue;
        }
        const comparison r = compare_tensors(c, d->a, i, d->b, k, room);
        if (!tg_ok(c->root)) return;
        if (r.differ) print_elements(c, d, t, &r);
        if (!d->first && (r.differ || !same_type(t, &d->b->tensor[k]))) d->first = t->name;
        d->differ += r.differ > 0;
        d->same += r.differ == 0;
    }
}

static void measure(ckpt *c, difference *d)
{
    for (int i = 0; i < d->a->n; i++) {
        tg_name_text name;
        const int k = tg_tensor_file_find(d->b, d->a->tensor[i].name);
        const int length = (int)strlen(tg_printable(d->a->tensor[i].name, &name));
        if (k >= 0) c->total += d->a->tensor[i].bytes + d->b->tensor[k].bytes;
        if (length > d->width) d->width = length < 48 ? length : 48;
    }
}

static bool compare_files(ckpt *c, difference *d)
{
    tg_name_text name;
    ckpt_text tensors;
    measure(c, d);
    print_lacking(d, d->a, d->b, "only in A:");
    print_lacking(d, d->b, d->a, "only in B:");
    print_types(d);
    compare_numbers(c, d);
    if (!tg_ok(c->root)) return false;
    print_metadata(d);
    status_clear(&c->line);
    if (!d->differ && !d->others) printf("same: %s\n", ckpt_tensors(d->same, &tensors));
    else
        printf("%s with the same numbers, %d with others, %d in one file only or of another shape or dtype\n",
               ckpt_tensors(d->same, &tensors), d->differ, d->others);
    if (d->first) printf("the first of A that differs: %s\n", tg_printable(d->first, &name));
    return !d->differ && !d->others;
}

int ckpt_diff(int argc, char **argv)
{
    static const struct argp parser = { NULL, parse, "A B", about, NULL, NULL, NULL };
    option_arguments files = { NULL, 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &files);
    ckpt c = ckpt_begin(argv[0]);
    difference d = { .a = tg_tensor_file_open(c.root, files.at[0]), .b = tg_tensor_file_open(c.root, files.at[1]) };
    const bool same = d.a && d.b && compare_files(&c, &d);
    return ckpt_end(&c, same ? EXIT_OK : EXIT_FAILED);
}
