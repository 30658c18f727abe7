/* ckpt_rename.c - `tilegrad ckpt rename`: other names for tensors. */
#include "ckpt.h"
#include "options.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAP = 'm' };

typedef struct { option_arguments files; const char *map; } rename_options;

static const struct argp_option table[] = {
    { "map", MAP, "FILE", 0, "rules, a line each: OLD NEW", 0 },
    { 0 },
};

static const char about[] =
    "Writes the tensors of IN to OUT under other names.  A line of the map is \"OLD NEW\"; with a '*' at the end of "
    "both, all names that begin so.  The first rule that fits a name renames it; others keep theirs.  Empty lines "
    "and lines that begin with # are skipped.  A rule that renames nothing is an error, and so are two tensors of "
    "one name.  Metadata are kept.\v"
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

typedef struct rule {
    const char  *old, *new;              /* without their '*' */
    bool         prefix;
    int          line, used;
    struct rule *next;
} rule;

/* Takes the '*' off. */
static bool take_star(char *word)
{
    const size_t n = strlen(word);
    const bool   star = n > 0 && word[n - 1] == '*';
    if (star) word[n - 1] = 0;
    return star;
}

/* The rule of a line; NULL: it has none, or root has failed. */
static rule *take_rule(ckpt *c, const char *map, char *line, int number)
{
    static const char blank[] = " \t\r\n";
    char *rest = NULL;
    char *const old = strtok_r(line, blank, &rest);
    if (!old || *old == '#') return NULL;
    char *const new = strtok_r(NULL, blank, &rest);
    const bool prefix = take_star(old);
    if (!new || strtok_r(NULL, blank, &rest)) tg_fail(c->root, "%s:%d: want OLD NEW", map, number);
    else if (take_star(new) != prefix)
        tg_fail(c->root, "%s:%d: want a '*' at the end of both or of neither", map, number);
    rule *const r = tg_alloc(c->root, sizeof *r);
    if (r) *r = (rule){ tg_strdup(c->root, old), tg_strdup(c->root, new), prefix, number, 0, NULL };
    return r;
}

static rule *read_rules(ckpt *c, const char *map)
{
    rule  *first = NULL, **last = &first;
    char  *line  = NULL;
    size_t room  = 0;
    FILE  *const from = fopen(map, "r");
    if (!from) tg_fail(c->root, "%s: cannot be opened: %s", map, strerror(errno));
    for (int number = 1; from && tg_ok(c->root) && getline(&line, &room, from) >= 0; number++)
        if ((*last = take_rule(c, map, line, number))) last = &(*last)->next;
    if (from && ferror(from)) tg_fail(c->root, "%s: cannot be read: %s", map, strerror(errno));
    if (from) fclose(from);
    free(line);
    return first;
}

static const char *rename_one(ckpt *c, rule *rules, const char *name)
{
    for (rule *r = rules; r; r = r->next) {
        const size_t n = strlen(r->old);
        if (r->prefix ? strncmp(name, r->old, n) != 0 : strcmp(name, r->old) != 0) continue;
        const size_t size = strlen(r->new) + strlen(name) - n + 1;
        char *const  made = tg_alloc(c->root, size);
        if (made) snprintf(made, size, "%s%s", r->new, name + n);
        r->used++;
        return made;
    }
    return name;
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
    rule *const rules = read_rules(c, map);
    tg_file_tensor *const tensors = ckpt_select(c, in, NULL, &n);
    const tg_file_meta *const meta = ckpt_select_meta(c, in, NULL, &n_meta);
    for (int k = 0; tg_ok(c->root) && k < n; k++) {
        tensors[k].name = rename_one(c, rules, tensors[k].name);
        renamed += tensors[k].name && strcmp(tensors[k].name, in->tensor[tensors[k].tag].name) != 0;
    }
    for (const rule *r = rules; r; r = r->next)
        if (!r->used)
            tg_fail(c->root, "%s:%d: no tensor is left for '%s%s'", map, r->line, r->old, r->prefix ? "*" : "");
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
