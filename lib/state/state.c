/* state.c - collects what the visits of a save or a load name into a list of items.  See state.h. */
#include "state_items.h"
#include "master.h"
#include "run.h"
#include "system.h"
#include <math.h>
#include <string.h>

static const char *full_name(tg_state *to, const char *name)
{
    const size_t prefix = strlen(to->prefix), own = strlen(name) + 1;
    char *const full = tg_alloc(to->s, prefix + own);
    if (!full) return NULL;
    memcpy(full, to->prefix, prefix);
    memcpy(full + prefix, name, own);
    return full;
}

/* Appends an item with this name, otherwise zeroed; NULL: the save or load has failed. */
static tg_state_item *add(tg_state *to, tg_item_kind kind, const char *name)
{
    if (!to || !tg_ok(to->s)) return NULL;
    if (!name) return tg_fail(to->s, "%s: %s: a name is NULL", to->what, to->prefix), NULL;
    if (!*name) return tg_fail(to->s, "%s: %s: a name is empty", to->what, to->prefix), NULL;
    const char *const full = full_name(to, name);
    if (!full) return NULL;
    if (!tg_system_grow((void **)&to->item, &to->capacity, (size_t)to->n + 1, sizeof *to->item)) {
        tg_fail(to->s, "%s: out of memory: a list of %d names", to->what, to->n + 1);
        return NULL;
    }
    tg_state_item *const item = &to->item[to->n++];
    *item = (tg_state_item){ .kind = kind, .name = full, .at = -1 };
    return item;
}

bool tg_state_home(tg_state *to, const char *what, const tg_scope *home)
{
    return tg_wants_home(to->s, to->what, what, home);
}

/* ---- tensors ---- */

static bool can_hold(tg_state *to, const char *name, const tg_tensor *t)
{
    const tg_storage *const storage = t->storage;
    const char *const why = !storage                             ? "it has no elements"
                            : t->node->made || !storage->leaf    ? "it is the result of a call, want a leaf"
                            : storage->program != to->s->program ? "it belongs to another tree of scopes"
                                                                 : NULL;
    if (why) tg_fail(to->s, "%s: %s%s: %s", to->what, to->prefix, name, why);
    return !why;
}

static void add_tensor(tg_state *to, const char *name, tg_tensor *now, const tg_tensor *like, int axis,
                       tg_tensor **made, tg_scope *scope)
{
    if (tg_ok(to->s) && name && (axis < -1 || axis >= like->rank + (like->rank == 0)))
        tg_fail(to->s, "%s: %s%s: axis %d of a tensor of rank %d", to->what, to->prefix, name, axis, like->rank);
    if (!tg_ok(to->s) || (now && !can_hold(to, name ? name : "", now))) return;
    tg_state_item *const item = add(to, TG_ITEM_TENSOR, name);
    if (!item) return;
    if (now) tg_settle_edit(now->storage);
    item->now = now;
    item->made = made;
    item->scope = scope;
    item->axis = axis;
    item->like = (tg_tensor){ .dtype = now ? tg_state_dtype(now) : TG_F32, .rank = like->rank };
    tg_state_shape(like, axis, item->like.dim);
}

void tg_state_tensor(tg_state *to, const char *name, tg_tensor *t, int axis)
{
    if (!to) return;
    if (tg_ok(to->s) && !t) tg_fail(to->s, "%s: %s%s: the tensor is NULL", to->what, to->prefix, name ? name : "");
    if (tg_ok(to->s)) add_tensor(to, name, t, t, axis, NULL, NULL);
}

void tg_state_counter(tg_state *to, const char *name, tg_tensor *t)
{
    if (!to) return;
    const int before = to->n;
    tg_state_tensor(to, name, t, -1);
    if (to->n > before) to->item[before].optional = true;
}

void tg_state_made(tg_state *to, const char *name, tg_tensor **t, tg_scope *scope, const tg_tensor *like, int axis)
{
    if (!to) return;
    if (tg_ok(to->s) && (!t || !scope || !like))
        tg_fail(to->s, "%s: %s%s: the tensor's address, scope or model is NULL", to->what, to->prefix,
                name ? name : "");
    if (tg_ok(to->s) && tg_state_home(to, "scope of a new tensor", scope) && tg_wants_tensor(to->s, to->what, like))
        add_tensor(to, name, *t, like, axis, t, scope);
}

/* ---- numbers and texts ---- */

static tg_state_item *add_number(tg_state *to, const char *name, tg_number_kind number, void *where)
{
    if (to && tg_ok(to->s) && !where)
        tg_fail(to->s, "%s: %s%s: the number is NULL", to->what, to->prefix, name ? name : "");
    tg_state_item *const item = add(to, TG_ITEM_NUMBER, name);
    if (!item) return NULL;
    item->number = number;
    item->where = where;
    return item;
}

void tg_state_int(tg_state *to, const char *name, int64_t *value, int64_t least, int64_t most)
{
    tg_state_item *const item = add_number(to, name, TG_INT, value);
    if (!item) return;
    item->least_int = least;
    item->most_int = most;
}

void tg_state_version(tg_state *to, const char *name, int64_t *version, int64_t now)
{
    const int before = to ? to->n : 0;
    if (to && tg_ok(to->s) && version) *version = now;
    tg_state_int(to, name, version, 1, now);
    if (to && to->n > before) to->item[before].is_version = true;
}

void tg_state_u64(tg_state *to, const char *name, uint64_t *value) { add_number(to, name, TG_U64, value); }
void tg_state_flag(tg_state *to, const char *name, bool *value) { add_number(to, name, TG_FLAG, value); }

static void add_real(tg_state *to, const char *name, tg_number_kind number, void *where, double least, double most)
{
    tg_state_item *const item = add_number(to, name, number, where);
    if (!item) return;
    item->least = least;
    item->most = most;
}

void tg_state_float(tg_state *to, const char *name, float *value, double least, double most)
{
    add_real(to, name, TG_FLOAT, value, least, most);
}

void tg_state_double(tg_state *to, const char *name, double *value, double least, double most)
{
    add_real(to, name, TG_DOUBLE, value, least, most);
}

void tg_state_choice(tg_state *to, const char *name, int *value, const char *const *choices)
{
    if (to && tg_ok(to->s) && !choices)
        tg_fail(to->s, "%s: %s%s: the choices are NULL", to->what, to->prefix, name ? name : "");
    tg_state_item *const item = add_number(to, name, TG_CHOICE, value);
    if (item) item->choices = choices;
}

static void add_text(tg_state *to, tg_item_kind kind, const char *name, const char *value)
{
    if (to && tg_ok(to->s) && !value)
        tg_fail(to->s, "%s: %s%s: the text is NULL", to->what, to->prefix, name ? name : "");
    tg_state_item *const item = add(to, kind, name);
    if (item) item->text = tg_strdup(to->s, value);
}

void tg_state_same(tg_state *to, const char *name, const char *value) { add_text(to, TG_ITEM_SAME, name, value); }
void tg_state_note(tg_state *to, const char *name, const char *value) { add_text(to, TG_ITEM_NOTE, name, value); }

void tg_state_missing(tg_state *to, const char *what)
{
    if (to)
        tg_fail(to->s, "%s: %s%s%s is NULL", to->what, to->prefix, *to->prefix ? ": " : "", what ? what : "the thing");
}

/* ---- collecting ---- */

bool tg_state_collect(tg_state *state, const tg_stateful *things, int n)
{
    if (tg_ok(state->s) && n > 0 && !things) tg_fail(state->s, "%s: the list of objects is NULL", state->what);
    for (int i = 0; i < n && tg_ok(state->s); i++) {
        state->prefix = things[i].prefix ? things[i].prefix : "";
        const size_t length = strlen(state->prefix);
        if (length && state->prefix[length - 1] != '/')
            tg_fail(state->s, "%s: the prefix \"%s\" does not end in /", state->what, state->prefix);
        else if (!things[i].visit) tg_fail(state->s, "%s: \"%s\" has no visit", state->what, state->prefix);
        else things[i].visit(state, things[i].what);
    }
    return tg_ok(state->s);
}

void tg_state_free(tg_state *state)
{
    tg_system_free(state->item);
    state->item = NULL;
}

static void visit_random(tg_state *to, void *what)
{
    const tg_scope *const s = what;
    if (!s) {
        tg_state_missing(to, "the scope");
        return;
    }
    tg_program *const p = s->program;
    tg_state_home(to, "scope of random numbers", s);
    tg_state_u64(to, "seed", &p->seed);
    tg_state_u64(to, "counter", &p->random_counter);
}

tg_stateful tg_random_state(tg_scope *s)
{
    return (tg_stateful){ .prefix = "random/", .what = s, .visit = visit_random };
}
