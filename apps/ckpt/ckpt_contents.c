/* ckpt_contents.c - sections and order of a file's tensors. */
#include "ckpt_contents.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *contents_name(const tg_file_tensor *t)
{
    const char *const slash = strchr(t->name, '/');
    return slash ? slash + 1 : t->name;
}

/* The length of the section's name with its '/'; 0: the model's, which comes first. */
static int section_length(const tg_file_tensor *t) { return (int)(contents_name(t) - t->name); }

static bool same_section(const tg_file_tensor *a, const tg_file_tensor *b)
{
    const int n = section_length(a);
    return n == section_length(b) && !strncmp(a->name, b->name, (size_t)n);
}

/* Digits compare by their numeric value, and a dot precedes all else, so that subtrees stay together. */
static int compare_names(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0' && isdigit((unsigned char)a[1])) a++;
            while (*b == '0' && isdigit((unsigned char)b[1])) b++;
            const size_t m = strspn(a, "0123456789"), n = strspn(b, "0123456789");
            const int order = m != n ? (m > n) - (m < n) : strncmp(a, b, n);
            if (order) return order;
            a += m;
            b += n;
        } else if (*a == *b) a++, b++;
        else return *a == '.' ? -1 : *b == '.' ? 1 : (unsigned char)*a - (unsigned char)*b;
    }
    return (*a != 0) - (*b != 0);
}

static int compare_tensors(const void *a, const void *b, void *file)
{
    const tg_file_tensor *const t = ((const tg_tensor_file *)file)->tensor, *const p = &t[*(const int *)a],
                                *const q = &t[*(const int *)b];
    const int m = section_length(p), n = section_length(q);
    if (!same_section(p, q)) return !m ? -1 : !n ? 1 : strcmp(p->name, q->name);
    const int order = compare_names(contents_name(p), contents_name(q));
    return order ? order : strcmp(p->name, q->name);
}

static const char *section_name(ckpt *c, const tg_file_tensor *t)
{
    const int length = section_length(t);
    char *name = length ? tg_alloc(c->root, (size_t)length) : NULL;
    return name ? memcpy(name, t->name, (size_t)length - 1) : "model";
}

static void cut_into_sections(ckpt *c, contents *all)
{
    const tg_file_tensor *before = NULL;
    for (int k = 0; k < all->file->n; k++) {
        const tg_file_tensor *const t = &all->file->tensor[all->order[k]];
        if (!before || !same_section(before, t))
            all->section[all->n++] = (contents_section){ .name = section_name(c, t), .first = k };
        contents_section *const in = &all->section[all->n - 1];
        in->n++;
        in->numbers += (uint64_t)ckpt_count(t);
        in->bytes += t->bytes;
        before = t;
    }
}

/* In file order, which is the fastest. */
static void measure(ckpt *c, contents *all)
{
    ckpt_numbers *const room = tg_alloc(c->root, sizeof *room);
    all->stats = tg_alloc(c->root, sizeof *all->stats * ((size_t)all->file->n + 1));
    for (int i = 0; i < all->file->n; i++) c->total += all->file->tensor[i].bytes;
    for (int i = 0; i < all->file->n && tg_ok(c->root); i++) all->stats[i] = ckpt_measure(c, all->file, i, room);
}

contents contents_read(ckpt *c, tg_tensor_file *f, bool stats)
{
    contents all = { .file = f };
    const size_t n = f ? (size_t)f->n + 1 : 1;
    all.order = tg_alloc(c->root, sizeof *all.order * n);
    all.section = tg_alloc(c->root, sizeof *all.section * n);
    if (!f || !tg_ok(c->root)) return (contents){ .file = NULL };
    for (int i = 0; i < f->n; i++) all.order[i] = i;
    qsort_r(all.order, (size_t)f->n, sizeof *all.order, compare_tensors, f);
    cut_into_sections(c, &all);
    if (stats) measure(c, &all);
    return tg_ok(c->root) ? all : (contents){ .file = NULL };
}
