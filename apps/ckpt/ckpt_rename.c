/* ckpt_rename.c - `tilegrad ckpt rename`: renames tensors. */
#include "ckpt.h"
#include "options.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAP = 'm' };

typedef struct {
    option_arguments files;
    const char *map;
} rename_options;

static const struct argp_option table[] = {
    { "map", MAP, "FILE", 0, "file of rules, one OLD NEW per line", 0 },
    { 0 },
};

static const char about[] =
    "Writes the tensors of IN to OUT under new names.  A line of the map is \"OLD NEW\"; with a '*' at the end of "
    "both, it replaces a prefix.  The first rule that matches a name renames it; other names are kept.  Empty lines "
    "and lines that begin with # are skipped.  A rule that renames nothing is an error, and so are two tensors with "
    "the same name.  Metadata are kept.\v"
    "Examples:\n"
    "  echo 'module.* *' >map\n"
    "  tilegrad ckpt rename ddp.safetensors plain.safetensors --map map\n"
    "  echo 'head.* fc.*' | tilegrad ckpt rename a.npz b.npz --map /dev/stdin";

static error_t parse(int key, char *text, struct argp_state *state)
{
    rename_options *const o = state->input;
    if (key == ARGP_KEY_SUCCESS && !o->map) argp_error(state, "no --map: want a file of rules");
    if (key != MAP) return option_take_arguments(key, state, "IN and OUT", 2, 2, &o->files);
    o->map = text;
    return 0;
}

/* ---- rules ---- */

typedef struct {
    const char *old, *new; /* without their '*' */
    size_t length;         /* of old */
    bool prefix;
    int line, used;
} rule;

typedef struct {
    rule *rule;
    int n;
} rules; /* sorted: see by_old */

/* Removes a trailing '*'. */
static bool take_star(char *word)
{
    const size_t n = strlen(word);
    const bool star = n > 0 && word[n - 1] == '*';
    if (star) word[n - 1] = 0;
    return star;
}

/* Parses a line's rule; false if it has none, or root has failed. */
static bool take_rule(ckpt *c, const char *map, char *line, int number, rule *to)
{
    static const char blank[] = " \t\r\n";
    char *rest = NULL;
    char *const old = strtok_r(line, blank, &rest);
    if (!old || *old == '#') return false;
    char *const new = strtok_r(NULL, blank, &rest);
    const bool prefix = take_star(old);
    if (!new || strtok_r(NULL, blank, &rest)) tg_fail(c->root, "%s:%d: want OLD NEW", map, number);
    else if (take_star(new) != prefix)
        tg_fail(c->root, "%s:%d: want a '*' at the end of both or of neither", map, number);
    else *to = (rule){ tg_strdup(c->root, old), tg_strdup(c->root, new), strlen(old), prefix, number, 0 };
    return tg_ok(c->root);
}

/* Rules with '*' first, ordered by prefix; equal ones in the order of their lines. */
static int by_old(const void *a, const void *b)
{
    const rule *const r = a, *const q = b;
    if (r->prefix != q->prefix) return r->prefix ? -1 : 1;
    const int order = strcmp(r->old, q->old);
    return order ? order : r->line - q->line;
}

static rules read_rules(ckpt *c, const char *map)
{
    rules all = { NULL, 0 };
    int have = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *const from = fopen(map, "r");
    if (!from) tg_fail(c->root, "%s: cannot be opened: %s", map, strerror(errno));
    for (int number = 1; from && tg_ok(c->root) && getline(&line, &room, from) >= 0; number++) {
        if (all.n == have) {
            rule *const more = tg_alloc(c->root, sizeof *more * (size_t)(have = 2 * have + 16));
            if (more && all.n) memcpy(more, all.rule, sizeof *more * (size_t)all.n);
            all.rule = more;
        }
        if (all.rule) all.n += take_rule(c, map, line, number, &all.rule[all.n]);
    }
    if (from && ferror(from)) tg_fail(c->root, "%s: cannot be read: %s", map, strerror(errno));
    if (from) fclose(from);
    free(line);
    if (tg_ok(c->root) && all.n) qsort(all.rule, (size_t)all.n, sizeof *all.rule, by_old);
    return all;
}

/* The first rule whose `old` is exactly these `length` characters, with or without a '*' after them; or NULL. */
static rule *find_rule(const rules *all, bool prefix, const char *name, size_t length)
{
    int low = 0, high = all->n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const rule *const r = &all->rule[middle];
        int order = r->prefix == prefix ? strncmp(r->old, name, length) : r->prefix ? -1 : 1;
        if (order == 0 && r->prefix == prefix) order = r->length > length;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    rule *const r = low < all->n ? &all->rule[low] : NULL;
    return r && r->prefix == prefix && r->length == length && !memcmp(r->old, name, length) ? r : NULL;
}

static const char *rename_one(ckpt *c, const rules *all, const char *name)
{
    const size_t n = strlen(name);
    rule *first = find_rule(all, false, name, n);
    for (size_t length = 0; length <= n; length++) {
        rule *const r = find_rule(all, true, name, length);
        if (r && (!first || r->line < first->line)) first = r;
    }
    if (!first) return name;
    const size_t size = strlen(first->new) + n - first->length + 1;
    char *const made = tg_alloc(c->root, size);
    if (made) snprintf(made, size, "%s%s", first->new, name + first->length);
    first->used++;
    return made;
}

/* Reports the first one by line. */
static void refuse_unused(ckpt *c, const rules *all, const char *map)
{
    const rule *first = NULL;
    for (int i = 0; i < all->n; i++)
        if (!all->rule[i].used && (!first || all->rule[i].line < first->line)) first = &all->rule[i];
    if (first)
        tg_fail(c->root, "%s:%d: no remaining tensor matches '%s%s'", map, first->line, first->old,
                first->prefix ? "*" : "");
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tg_file_tensor *const *)a)->name, (*(const tg_file_tensor *const *)b)->name);
}

static void refuse_collisions(ckpt *c, const tg_tensor_file *in, const tg_file_tensor *tensors, int n)
{
    const tg_file_tensor **const order = tg_alloc(c->root, sizeof *order * ((size_t)n + 1));
    for (int k = 0; order && k < n; k++) order[k] = &tensors[k];
    if (order) qsort(order, (size_t)n, sizeof *order, by_name);
    for (int k = 1; order && k < n; k++) {
        tg_name_text a, b, both;
        if (strcmp(order[k - 1]->name, order[k]->name) != 0) continue;
        tg_fail(c->root, "%s and %s would both be named '%s'", tg_printable(in->tensor[order[k - 1]->tag].name, &a),
                tg_printable(in->tensor[order[k]->tag].name, &b), tg_printable(order[k]->name, &both));
    }
}

static void rename_all(ckpt *c, tg_tensor_file *in, const char *path, const char *map)
{
    int n, n_meta, renamed = 0;
    const rules all = read_rules(c, map);
    tg_file_tensor *const tensors = ckpt_select(c, in, NULL, &n);
    const tg_file_meta *const meta = ckpt_select_meta(c, in, NULL, &n_meta);
    for (int k = 0; tg_ok(c->root) && k < n; k++) {
        tensors[k].name = rename_one(c, &all, tensors[k].name);
        renamed += tensors[k].name && strcmp(tensors[k].name, in->tensor[tensors[k].tag].name) != 0;
    }
    if (tg_ok(c->root)) refuse_unused(c, &all, map);
    if (tg_ok(c->root)) refuse_collisions(c, in, tensors, n);
    const ckpt_output o = { path, tensors, n, n_meta, meta, ckpt_produce_copy, in };
    if (!tg_ok(c->root) || !ckpt_write(c, &o)) return;
    status_clear(&c->line);
    printf("%d of %d tensors renamed\n", renamed, n);
}

int ckpt_rename(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "IN OUT", about, NULL, NULL, NULL };
    rename_options o = { .map = NULL };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    ckpt c = ckpt_begin(argv[0]);
    tg_tensor_file *const in = tg_tensor_file_open(c.root, o.files.at[0]);
    if (in) rename_all(&c, in, o.files.at[1], o.map);
    return ckpt_end(&c, EXIT_OK);
}
