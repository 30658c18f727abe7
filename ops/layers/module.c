/* module.c - building a tree of modules, and running it.  See module.h. */
#include "frame.h"
#include "layer.h"
#include "run.h"
#include <string.h>

tg_module *tg_module_new(tg_scope *s, size_t bytes, const char *kind, tg_forward_fn forward)
{
    if (!tg_ok(s)) return NULL;
    if (bytes < sizeof(tg_module) || !kind || !forward) {
        tg_fail(s, "module: %zu bytes, a kind or a forward function missing; want at least %zu bytes and both", bytes,
                sizeof(tg_module));
        return NULL;
    }
    tg_module *m = tg_alloc(s, bytes);
    if (!m) return NULL;
    m->kind = tg_strdup(s, kind);
    m->name = "";
    m->forward = forward;
    m->scope = s;
    return m->kind ? m : NULL;
}

/* ---- what may be hung where ---- */

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
    if (leaf->made) return "want a leaf, got the result of an operator";
    return name_trouble(m, name, 0);
}

/* ---- hanging ---- */

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
                !parent ? "its parent" : !child ? "it" : "its name");
        return child;
    }
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
                !m ? "its module" : !leaf ? "it" : "its name");
        return leaf;
    }
    const char *why = slot_trouble(m, name, leaf), *own = why ? NULL : tg_strdup(s, name);
    if (why) tg_fail(s, "%s: %s \"%.64s\": %s", m->kind, what, name, why);
    tg_slot *slot = own ? tg_alloc(s, sizeof *slot) : NULL;
    if (!slot) return leaf;
    tg_slot **end = &m->slots;
    while (*end) end = &(*end)->next;
    *slot = (tg_slot){ .name = own, .tensor = leaf, .buffer = buffer, .file_axis = -1, .f32_because = f32_because };
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
    return tg_require_grad(s, leaf);
}

tg_tensor *tg_buffer(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf)
{
    return add_slot(s, m, name, leaf, true, "statistics are FP32");
}

void tg_file_axis(tg_scope *s, tg_module *m, const char *name, int axis)
{
    if (!tg_ok(s)) return;
    tg_slot *slot = m ? m->slots : NULL;
    while (slot && (!name || strcmp(slot->name, name) != 0)) slot = slot->next;
    if (!slot) tg_fail(s, "module: file_axis of \"%s\": there is no parameter or buffer of this name", name ? name : "");
    else if (axis < -1 || axis >= slot->tensor->rank)
        tg_fail(s, "%s: file_axis of \"%s\": %d, want -1 to %d", m->kind, name, axis, slot->tensor->rank - 1);
    else slot->file_axis = axis;
}

/* ---- running ---- */

tg_tensor *tg_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    if (tg_ok(s) && (!m || !x)) tg_fail(s, "forward: the %s is NULL", m ? "input" : "module");
    if (!tg_ok(s)) return tg_zeros(s, TG_F32, 0, NULL);      /* without elements, as s has failed */
    tg_enter(s, tg_module_path(m));
    tg_tensor *y = m->forward(s, m, x);
    if (!y) tg_fail(s, "%s: its forward function returned NULL", m->kind);
    if (m->watch) *m->watch = y;
    return tg_leave(s, y);
}

tg_tensor *tg_checkpoint(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_segment_begin(s);
    tg_tensor *y = tg_forward(s, m, x);
    tg_segment_end(s);
    return y;
}
