/* module.c - building and running a tree of modules. See module.h. */
#include "frame.h"
#include "layer.h"
#include "run.h"
#include "shown.h"
#include <string.h>

static tg_module *new_module(tg_scope *s, size_t bytes, const char *kind, tg_module as)
{
    if (!tg_ok(s)) return NULL;
    if (!kind) tg_fail(s, "module: the kind is NULL");
    else if (!as.forward && !as.forward_n) tg_fail(s, "%s: the forward function is NULL", kind);
    else if (bytes < sizeof(tg_module)) tg_fail(s, "%s: %zu bytes, want at least %zu", kind, bytes, sizeof(tg_module));
    else if (as.n_in < 1 || as.n_out < 1)
        tg_fail(s, "%s: %d inputs and %d outputs, want at least one of each", kind, as.n_in, as.n_out);
    tg_module *m = tg_alloc(s, bytes);
    if (!m) return NULL;
    *m = as;
    m->kind = tg_strdup(s, kind);
    m->name = "";
    m->scope = s;
    return m->kind ? m : NULL;
}

tg_module *tg_module_new(tg_scope *s, size_t bytes, const char *kind, tg_forward_fn forward)
{
    return new_module(s, bytes, kind, (tg_module){ .forward = forward, .n_in = 1, .n_out = 1 });
}

tg_module *tg_module_new_n(tg_scope *s, size_t bytes, const char *kind, int n_in, int n_out, tg_forward_n_fn forward)
{
    return new_module(s, bytes, kind, (tg_module){ .forward_n = forward, .n_in = n_in, .n_out = n_out });
}

/* ---- checks of names and parents ---- */

static size_t length_above(const tg_module *m)
{
    size_t length = 0;
    for (; m->parent; m = m->parent) length += strlen(m->name) + 1;
    return length;
}

static size_t length_below(const tg_module *m)
{
    size_t longest = 0;
    for (const tg_slot *slot = m->slots; slot; slot = slot->next)
        if (strlen(slot->name) > longest) longest = strlen(slot->name);
    for (const tg_module *c = m->first_child; c; c = c->next) {
        size_t length = strlen(c->name) + 1 + length_below(c);
        if (length > longest) longest = length;
    }
    return longest;
}

static const char *name_trouble(const tg_module *m, const char *name, size_t below)
{
    if (!*name) return "want a name";
    if (strpbrk(name, "./")) return "want a name without dots and slashes";
    for (const tg_module *c = m->first_child; c; c = c->next)
        if (!strcmp(c->name, name)) return "there is a child of this name";
    for (const tg_slot *slot = m->slots; slot; slot = slot->next)
        if (!strcmp(slot->name, name)) return "there is a parameter or buffer of this name";
    return length_above(m) + strlen(name) + 1 + below < TG_MAX_PATH ? NULL : "the names from the top down are too long";
}

static const char *child_trouble(const tg_module *parent, const char *name, const tg_module *child)
{
    if (child->parent) return "it is a child of another module; to share weights, share tensors (tg_param)";
    for (const tg_module *m = parent; m; m = m->parent)
        if (m == child) return "it would contain itself";
    return name_trouble(parent, name, length_below(child) + 1);
}

static const char *slot_trouble(const tg_module *m, const char *name, const tg_tensor *leaf)
{
    if (tg_made_by(leaf)) return "want a leaf, got the result of an operator";
    if (tg_ok(m->scope) && !tg_can_read(m->scope, leaf)) return "want a leaf of the module's scope, or of one above";
    return name_trouble(m, name, 0);
}

/* ---- adding children and slots ---- */

static void forget_paths(tg_module *m)
{
    m->path = NULL;
    for (tg_module *c = m->first_child; c; c = c->next) forget_paths(c);
}

tg_module *tg_child(tg_scope *s, tg_module *parent, const char *name, tg_module *child)
{
    if (!tg_ok(s)) return child;
    if (!parent || !child || !name) {
        tg_fail(s, "module: child \"%s\": %s is NULL", name ? name : "",
                !parent  ? "its parent"
                : !child ? "it"
                         : "its name");
        return child;
    }
    if (!tg_wants_home(s, parent->kind, "module", parent->scope) ||
        !tg_wants_home(s, parent->kind, "child", child->scope))
        return child;
    const char *why = child_trouble(parent, name, child), *own = why ? NULL : tg_strdup(s, name);
    if (why) tg_fail(s, "%s: child \"%.64s\": %s", parent->kind, name, why);
    if (!own) return child;
    tg_module **end = &parent->first_child;
    while (*end) end = &(*end)->next;
    *end = child;
    child->name = own;
    child->parent = parent;
    forget_paths(child);
    return child;
}

static tg_tensor *add_slot(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf, bool buffer,
                           const char *f32_because)
{
    const char *what = buffer ? "buffer" : "parameter";
    if (!tg_ok(s)) return leaf;
    if (!m || !name || !leaf) {
        tg_fail(s, "module: %s \"%s\": %s is NULL", what, name ? name : "",
                !m      ? "its module"
                : !leaf ? "it"
                        : "its name");
        return leaf;
    }
    if (!tg_wants_home(s, m->kind, "module", m->scope) || !tg_wants_tensor(s, m->kind, leaf)) return leaf;
    const char *why = slot_trouble(m, name, leaf), *own = why ? NULL : tg_strdup(s, name);
    if (why) tg_fail(s, "%s: %s \"%.64s\": %s", m->kind, what, name, why);
    tg_slot *slot = own ? tg_alloc(s, sizeof *slot) : NULL;
    if (!slot) return leaf;
    tg_slot **end = &m->slots;
    while (*end) end = &(*end)->next;
    *slot = (tg_slot){
        .name = own,
        .tensor = leaf,
        .added = leaf,
        .buffer = buffer,
        .file_axis = -1,
        .decays = !buffer && leaf->rank > 1 && strcmp(name, "bias") != 0,
        .f32_because = f32_because,
    };
    *end = slot;
    return leaf;
}

tg_tensor *tg_param(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf)
{
    return tg_require_grad(s, add_slot(s, m, name, leaf, false, "its sums want FP32"));
}

tg_tensor *tg_weight(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf)
{
    add_slot(s, m, name, leaf, false, NULL);
    tg_file_axis(s, m, name, 1);
    tg_decays(s, m, name, true);
    return tg_require_grad(s, leaf);
}

tg_tensor *tg_buffer(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf)
{
    return add_slot(s, m, name, leaf, true, "statistics are FP32");
}

/* NULL: there is none, and s has failed. */
static tg_slot *find_slot(tg_scope *s, tg_module *m, const char *what, const char *name)
{
    if (!tg_wants_home(s, m ? m->kind : what, "module", m ? m->scope : NULL)) return NULL;
    if (!name) return tg_fail(s, "%s: %s: the name is NULL", m->kind, what), NULL;
    tg_slot *slot = m->slots;
    while (slot && strcmp(slot->name, name) != 0) slot = slot->next;
    if (!slot) tg_fail(s, "module: %s of \"%s\": there is no parameter or buffer of this name", what, name);
    return slot && tg_slot_sound(s, m, slot) ? slot : NULL;
}

void tg_decays(tg_scope *s, tg_module *m, const char *name, bool decays)
{
    tg_slot *slot = tg_ok(s) ? find_slot(s, m, "decays", name) : NULL;
    if (slot && slot->buffer) tg_fail(s, "%s: decays of \"%s\": it is a buffer, want a parameter", m->kind, name);
    else if (slot) slot->decays = decays;
}

void tg_file_axis(tg_scope *s, tg_module *m, const char *name, int axis)
{
    tg_slot *slot = tg_ok(s) ? find_slot(s, m, "file_axis", name) : NULL;
    if (!slot) return;
    if (axis < -1 || axis >= slot->tensor->rank)
        tg_fail(s, "%s: file_axis of \"%s\": %d, want -1 to %d", m->kind, name, axis, slot->tensor->rank - 1);
    else slot->file_axis = axis;
}

/* ---- running ---- */

static bool can_run(tg_scope *s, const tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out)
{
    if (!tg_wants_home(s, "forward", "module", m ? m->scope : NULL)) return false;
    if (n_in != m->n_in || n_out != m->n_out)
        return tg_fail(s, "%s: forward with inputs: %d, outputs: %d; want %d and %d", m->kind, n_in, n_out, m->n_in,
                       m->n_out),
               false;
    if (!in || !out) return tg_fail(s, "forward: the list of %s is NULL", in ? "outputs" : "inputs"), false;
    for (int k = 0; k < n_in; k++)
        if (!in[k] && n_in > 1) return tg_fail(s, "forward: input %d is NULL", k), false;
        else if (!in[k]) return tg_fail(s, "forward: the input is NULL"), false;
    for (const tg_slot *slot = m->slots; slot; slot = slot->next)
        if (!tg_slot_sound(s, m, slot)) return false;
    return true;
}

/* Inputs that are lazy f32 casts of a network's results are replaced by what was cast. */
static void call_forward(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    if (m->forward) {
        out[0] = m->forward(s, m, tg_shown_of(in[0]));
        return;
    }
    tg_tensor **own = tg_alloc(s, sizeof *own * (size_t)m->n_in);
    for (int k = 0; own && k < m->n_in; k++) own[k] = tg_shown_of(in[k]);
    if (own) m->forward_n(s, m, own, out);
}

static void run_module(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    for (int k = 0; k < m->n_out; k++) out[k] = NULL;
    tg_enter(s, tg_module_path(m));
    call_forward(s, m, in, out);
    for (int k = 0; k < m->n_out && tg_ok(s); k++)
        if (!out[k] && m->forward) tg_fail(s, "%s: its forward function returned NULL", m->kind);
        else if (!out[k]) tg_fail(s, "%s: its forward function left output %d NULL", m->kind, k);
    if (m->watch) memcpy(m->watch, out, sizeof *out * (size_t)m->n_out);
    tg_leave_n(s, out, m->n_out);
}

/* The results of an optimised network are f32 for user code; inside another module they stay bf16. */
static void give_out(tg_scope *s, const tg_module *m, tg_tensor **out, int n_out)
{
    for (int k = 0; k < n_out && tg_ok(s) && m->f32_out && !tg_within_module(s); k++) out[k] = tg_show_f32(s, out[k]);
    for (int k = 0; out && !tg_ok(s) && k < n_out; k++) out[k] = tg_zeros(s, TG_F32, 0, NULL); /* without elements */
}

void tg_forward_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out)
{
    if (can_run(s, m, in, n_in, out, n_out)) run_module(s, m, in, out);
    give_out(s, m, out, n_out);
}

tg_tensor *tg_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_tensor *y;
    tg_forward_n(s, m, &x, 1, &y, 1);
    return y;
}

void tg_checkpoint_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out)
{
    tg_segment_begin(s);
    if (can_run(s, m, in, n_in, out, n_out)) run_module(s, m, in, out);
    tg_segment_end(s);
    give_out(s, m, out, n_out);
}

tg_tensor *tg_checkpoint(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_tensor *y;
    tg_checkpoint_n(s, m, &x, 1, &y, 1);
    return y;
}
