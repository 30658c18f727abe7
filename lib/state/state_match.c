/* state_match.c - matches items with a file, and reports the differences.  See state_match.h. */
#include "state_match.h"
#include "system.h"
#include "tensor_file_kind.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of names ---- */

typedef struct {
    tg_scope *s; /* owns the texts */
    const char **text;
    size_t capacity;
    int n;
} names;

typedef struct {
    names missing, unexpected, misshapen, refused; /* refused: numbers and texts */
} differences;

TG_PRINTF(2, 3) static void append_name(names *list, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *const own = tg_strdup(list->s, text);
    if (!own) return;
    if (tg_system_grow((void **)&list->text, &list->capacity, (size_t)list->n + 1, sizeof *list->text))
        list->text[list->n++] = own;
    else tg_fail(list->s, "load: out of memory: a list of %d names", list->n + 1);
}

static void free_lists(differences *d)
{
    names *const all[] = { &d->missing, &d->unexpected, &d->misshapen, &d->refused };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tg_system_free(all[i]->text);
}

/* ---- tensors ---- */

static bool same_shape(const tg_file_tensor *t, const tg_tensor *like)
{
    bool same = t->rank == like->rank;
    for (int i = 0; i < like->rank && same; i++) same = t->dim[i] == like->dim[i];
    return same;
}

static void append_shapes(names *list, const tg_file_tensor *t, const tg_state_item *item)
{
    tg_tensor file = { .rank = t->rank };
    tg_shape_text theirs, ours;
    tg_name_text name;
    memcpy(file.dim, t->dim, sizeof file.dim);
    append_name(list, "%s: %s %s in the file, %s %s here", tg_printable(t->name, &name), t->dtype,
                tg_shape(&file, &theirs), tg_dtype_name(item->like.dtype), tg_shape(&item->like, &ours));
}

static void match_tensor(tg_state *state, int i, tg_tensor_file *f, int *item_of, differences *d)
{
    tg_state_item *const item = &state->item[i];
    const int at = tg_tensor_file_find(f, item->name);
    if (at < 0) {
        if (!item->made && !item->optional) append_name(&d->missing, "%s", item->name);
        return;
    }
    if (item_of[at] >= 0) {
        tg_fail(state->s, "load: two things have the name %s", item->name);
        return;
    }
    item_of[at] = i;
    const tg_file_tensor *const t = &f->tensor[at];
    if (same_shape(t, &item->like) && tg_tensor_file_can(t, item->like.dtype)) item->at = at;
    else if (!item->optional) append_shapes(&d->misshapen, t, item);
}

/* Whether a file's tensor belongs to one of the things: its name starts with the thing's prefix; names without a prefix
 * belong to the model. */
static bool is_asked_for(const char *name, const tg_stateful *things, int n)
{
    for (int i = 0; i < n; i++) {
        const char *const prefix = things[i].prefix ? things[i].prefix : "";
        if (*prefix ? !strncmp(name, prefix, strlen(prefix)) : !strchr(name, '/')) return true;
    }
    return false;
}

static void match_tensors(tg_state *state, tg_tensor_file *f, const tg_stateful *things, int n, int *item_of,
                          differences *d)
{
    for (int i = 0; i < f->n; i++) item_of[i] = -1;
    for (int i = 0; i < state->n && tg_ok(state->s); i++)
        if (state->item[i].kind == TG_ITEM_TENSOR) match_tensor(state, i, f, item_of, d);
    for (int i = 0; i < f->n; i++) {
        tg_name_text name;
        if (item_of[i] < 0 && is_asked_for(f->tensor[i].name, things, n))
            append_name(&d->unexpected, "%s", tg_printable(f->tensor[i].name, &name));
        else if (item_of[i] >= 0 && state->item[item_of[i]].at < 0) item_of[i] = -1;
    }
}

/* ---- numbers and texts ---- */

static void match_text(tg_state_item *item, const tg_tensor_file *f, differences *d)
{
    const char *const text = tg_tensor_file_meta(f, item->name);
    tg_name_text theirs;
    char wanted[120];
    if (!text && item->is_version) {
        item->loaded.i = f->marked ? 1 : item->most_int;
        item->found = true;
    } else if (!text) append_name(&d->missing, "%s", item->name);
    else if (item->kind == TG_ITEM_SAME && strcmp(text, item->text) != 0)
        append_name(&d->refused, "%s: \"%s\" in the file, \"%s\" here", item->name, tg_printable(text, &theirs),
                    item->text);
    else if (item->kind == TG_ITEM_NUMBER && !tg_number_read(item, text))
        append_name(&d->refused, "%s: \"%s\" in the file, want %s", item->name, tg_printable(text, &theirs),
                    tg_number_wanted(item, wanted));
    else item->found = item->kind == TG_ITEM_NUMBER;
}

static void match_texts(tg_state *state, const tg_tensor_file *f, differences *d)
{
    for (int i = 0; i < state->n; i++)
        if (state->item[i].kind == TG_ITEM_NUMBER || state->item[i].kind == TG_ITEM_SAME)
            match_text(&state->item[i], f, d);
}

/* ---- reporting ---- */

static size_t text_length(const names *list)
{
    size_t length = 80;
    for (int i = 0; i < list->n; i++) length += strlen(list->text[i]) + 2;
    return length;
}

static char *append_list(char *at, const char *before, const char *what, const names *list)
{
    if (!list->n) return at;
    at += sprintf(at, "%s%d %s: ", before, list->n, what);
    for (int i = 0; i < list->n; i++) at += sprintf(at, "%s%s", i ? ", " : "", list->text[i]);
    return at;
}

static bool has_item(const tg_state *state, const char *name)
{
    for (int i = 0; i < state->n; i++)
        if (state->item[i].kind == TG_ITEM_TENSOR && !strcmp(state->item[i].name, name)) return true;
    return false;
}

/* The length of a prefix that all of the file's model tensors have and the model's own names lack: "module." of a
 * network that was wrapped when it was saved.  0: there is none. */
static size_t foreign_prefix(const tg_state *state, const tg_tensor_file *f)
{
    const char *first = NULL;
    size_t length = 0;
    for (int i = 0; i < f->n; i++) {
        const char *const name = f->tensor[i].name;
        if (strchr(name, '/')) continue;
        if (!first) length = strlen(first = name);
        while (length && strncmp(first, name, length) != 0) length--;
    }
    for (const char *dot = first; dot && (dot = strchr(dot, '.')) && (size_t)(++dot - first) <= length;)
        if (has_item(state, dot)) return (size_t)(dot - first);
    return 0;
}

static void refuse_prefix(tg_scope *s, const tg_tensor_file *f, size_t length)
{
    char prefix[TG_MOST_NAME + 1];
    tg_name_text text;
    const char *first = NULL;
    for (int i = 0; i < f->n && !first; i++)
        if (!strchr(f->tensor[i].name, '/')) first = f->tensor[i].name;
    snprintf(prefix, sizeof prefix, "%.*s", (int)length, first);
    tg_printable(prefix, &text);
    tg_fail(s,
            "%s: does not fit: all names begin with '%s', which the model's do not; the rule '%s* *' takes it off "
            "(tilegrad ckpt rename IN OUT --map FILE)",
            f->path, text.text, text.text);
}

static void refuse(tg_scope *s, const char *path, const differences *d)
{
    char *const text = tg_alloc(s, text_length(&d->missing) + text_length(&d->unexpected) + text_length(&d->misshapen) +
                                       text_length(&d->refused));
    if (!text) return;
    char *at = append_list(text, "", "missing", &d->missing);
    at = append_list(at, at > text ? "; " : "", "unexpected", &d->unexpected);
    at = append_list(at, at > text ? "; " : "", "of another shape or dtype", &d->misshapen);
    append_list(at, at > text ? "; " : "", "not as wanted", &d->refused);
    tg_fail(s, "%s: does not fit: %s", path, text);
}

static const char *const *keep(tg_scope *to, const names *list)
{
    const char **const kept = tg_alloc(to, sizeof *kept * ((size_t)list->n + 1));
    for (int i = 0; i < list->n && kept; i++) kept[i] = tg_strdup(to, list->text[i]);
    return kept;
}

static void fill_report(tg_state *state, const tg_tensor_file *f, const int *item_of, const differences *d,
                        tg_load_report *report)
{
    tg_scope *const to = state->s->parent;
    for (int i = 0; i < f->n; i++) report->loaded += item_of[i] >= 0;
    report->n_missing = d->missing.n;
    report->n_unexpected = d->unexpected.n;
    report->n_misshapen = d->misshapen.n;
    report->missing = keep(to, &d->missing);
    report->unexpected = keep(to, &d->unexpected);
    report->misshapen = keep(to, &d->misshapen);
    if (d->refused.n) refuse(state->s, f->path, &(differences){ .refused = d->refused });
}

const int *tg_state_match(tg_state *state, tg_tensor_file *f, const tg_stateful *things, int n, tg_load_report *report)
{
    tg_scope *const s = state->s;
    differences d = { .missing.s = s, .unexpected.s = s, .misshapen.s = s, .refused.s = s };
    int *const item_of = tg_alloc(s, sizeof *item_of * ((size_t)f->n + 1));
    if (!item_of) return NULL;
    match_tensors(state, f, things, n, item_of, &d);
    match_texts(state, f, &d);
    const bool all = !d.missing.n && !d.unexpected.n && !d.misshapen.n && !d.refused.n;
    const size_t prefix = d.missing.n && d.unexpected.n ? foreign_prefix(state, f) : 0;
    if (report && tg_ok(s)) fill_report(state, f, item_of, &d, report);
    else if (prefix) refuse_prefix(s, f, prefix);
    else if (!all) refuse(s, f->path, &d);
    free_lists(&d);
    return tg_ok(s) ? item_of : NULL;
}

/* ---- a report as text ---- */

static void print_names(FILE *to, const char *what, const char *const *name, int n)
{
    for (int i = 0; i < n; i++) fprintf(to, "  %-12s %s\n", what, name[i]);
}

void tg_print_load_report(const tg_load_report *r, FILE *to)
{
    if (!r || !to) return;
    fprintf(to, "%d tensors loaded, %d missing, %d unexpected, %d of another shape\n", r->loaded, r->n_missing,
            r->n_unexpected, r->n_misshapen);
    print_names(to, "missing", r->missing, r->n_missing);
    print_names(to, "unexpected", r->unexpected, r->n_unexpected);
    print_names(to, "other shape", r->misshapen, r->n_misshapen);
}
