/* ckpt_contents_json.c - a file's table of contents as JSON. */
#include "ckpt_contents.h"
#include <jansson.h>

static json_t *shape(const tg_file_tensor *t)
{
    json_t *const all = json_array();
    for (int i = 0; i < t->rank; i++) json_array_append_new(all, json_integer(t->dim[i]));
    return all;
}

/* null if there are no finite elements. */
static json_t *measured(const ckpt_stats *stats)
{
    if (!stats->known) return json_null();
    json_t *const all = json_pack("{sIsIsI}", "finite", (json_int_t)stats->finite, "nan", (json_int_t)stats->nan, "inf",
                                  (json_int_t)stats->inf);
    json_object_set_new(all, "min", stats->finite ? json_real(stats->min) : json_null());
    json_object_set_new(all, "max", stats->finite ? json_real(stats->max) : json_null());
    json_object_set_new(all, "mean", stats->finite ? json_real(stats->mean) : json_null());
    return all;
}

static json_t *tensor(const contents *all, const contents_section *in, int i)
{
    const tg_file_tensor *const t = &all->file->tensor[i];
    json_t *const one = json_pack("{sssssssosI}", "name", t->name, "section", in->name, "dtype", t->dtype, "shape",
                                  shape(t), "bytes", (json_int_t)t->bytes);
    if (t->trouble) json_object_set_new(one, "trouble", json_string(t->trouble));
    if (all->stats) json_object_set_new(one, "stats", measured(&all->stats[i]));
    return one;
}

static json_t *metadata(const tg_tensor_file *f)
{
    json_t *const all = json_object();
    for (int i = 0; i < f->n_meta; i++) json_object_set_new(all, f->meta[i].key, json_string(f->meta[i].value));
    return all;
}

void contents_print_json(ckpt *c, const contents *all, FILE *to)
{
    json_t *const tensors = json_array(), *const sections = json_array();
    for (int k = 0; k < all->n; k++) {
        const contents_section *const in = &all->section[k];
        json_array_append_new(sections, json_pack("{sssisIsI}", "name", in->name, "tensors", in->n, "numbers",
                                                  (json_int_t)in->numbers, "bytes", (json_int_t)in->bytes));
        for (int i = in->first; i < in->first + in->n; i++)
            json_array_append_new(tensors, tensor(all, in, all->order[i]));
    }
    json_t *const root =
        json_pack("{sssssbsososo}", "path", all->file->path, "format", all->file->format, "checksums",
                  (int)all->file->marked, "metadata", metadata(all->file), "sections", sections, "tensors", tensors);
    if (!root || json_dumpf(root, to, JSON_INDENT(1) | JSON_ENSURE_ASCII) != 0)
        tg_fail(c->root, "%s: can't be expressed as JSON", all->file->path);
    else fprintf(to, "\n");
    json_decref(root);
}
