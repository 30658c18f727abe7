/* module_walk.c - traversing a tree of modules: names, parameters, freezing. */
#include "layer.h"
#include "run.h"
#include <string.h>

typedef void (*visit_fn)(void *context, const char *name, tg_slot *slot, tg_module *owner);

/* ---- names ---- */

/* tg_child and tg_param ensure that names fit. */
static size_t append_name(char *text, size_t length, const char *part)
{
    if (length) text[length++] = '.';
    strcpy(text + length, part);
    return length + strlen(part);
}

size_t tg_path_within(const tg_module *top, const tg_module *m, char text[TG_MAX_PATH])
{
    *text = 0;
    return m == top || !m->parent ? 0 : append_name(text, tg_path_within(top, m->parent, text), m->name);
}

const char *tg_module_path(const tg_module *m)
{
    if (!m || !m->parent) return "";
    if (m->path) return m->path;
    char text[TG_MAX_PATH];
    tg_path_within(NULL, m, text);
    const char *path = tg_strdup(m->scope, text);
    ((tg_module *)m)->path = path; /* a cache, logically const */
    return path ? path : "";
}

/* ---- parameters ---- */

bool tg_slot_sound(tg_scope *s, const tg_module *m, const tg_slot *slot)
{
    char text[TG_MAX_PATH];
    if (slot->tensor == slot->added) return true;
    append_name(text, tg_path_within(NULL, m, text), slot->name);
    tg_fail(s, "%s: slot->tensor was replaced, but %s reads the tensor it was made with; write values with tg_edit",
            text, m->kind);
    return false;
}

bool tg_slots_sound(tg_scope *s, const tg_module *m)
{
    for (const tg_slot *slot = m->slots; slot; slot = slot->next)
        if (!tg_slot_sound(s, m, slot)) return false;
    for (const tg_module *c = m->first_child; c; c = c->next)
        if (!tg_slots_sound(s, c)) return false;
    return true;
}

static const tg_slot *first_with(const tg_module *m, const tg_tensor *tensor)
{
    for (const tg_slot *slot = m->slots; slot; slot = slot->next)
        if (slot->tensor == tensor) return slot;
    const tg_slot *found = NULL;
    for (const tg_module *c = m->first_child; c && !found; c = c->next) found = first_with(c, tensor);
    return found;
}

static void walk(const tg_module *top, tg_module *m, char *name, size_t length, visit_fn visit, void *context)
{
    for (tg_slot *slot = m->slots; slot; slot = slot->next) {
        if (first_with(top, slot->tensor) != slot) continue;
        append_name(name, length, slot->name);
        visit(context, name, slot, m);
    }
    for (tg_module *c = m->first_child; c; c = c->next)
        walk(top, c, name, append_name(name, length, c->name), visit, context);
}

void tg_each_param(const tg_module *m, visit_fn visit, void *context)
{
    char name[TG_MAX_PATH] = "";
    if (m && visit) walk(m, (tg_module *)m, name, 0, visit, context);
}

static tg_module *find_module(tg_module *m, const char *path, size_t length)
{
    while (m && length) {
        const char *dot = memchr(path, '.', length);
        const size_t part = dot ? (size_t)(dot - path) : length, used = part + (dot != NULL);
        tg_module *c = m->first_child;
        while (c && (strncmp(c->name, path, part) != 0 || c->name[part])) c = c->next;
        if (dot && used == length) return NULL; /* ends with a dot */
        m = c;
        path += used;
        length -= used;
    }
    return m;
}

tg_module *tg_find_module(tg_module *top, const char *path)
{
    return top && path ? find_module(top, path, strlen(path)) : NULL;
}

tg_tensor *tg_find_param(tg_module *top, const char *name)
{
    if (!top || !name) return NULL;
    const char *dot = strrchr(name, '.'), *own = dot ? dot + 1 : name;
    if (dot == name) return NULL;
    const tg_module *m = find_module(top, name, dot ? (size_t)(dot - name) : 0);
    for (const tg_slot *slot = m ? m->slots : NULL; slot; slot = slot->next)
        if (!strcmp(slot->name, own)) return slot->tensor;
    return NULL;
}

static void count_elements(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)name, (void)owner;
    *(int64_t *)context += slot->buffer ? 0 : tg_count(slot->tensor);
}

int64_t tg_param_count(const tg_module *m)
{
    int64_t count = 0;
    tg_each_param(m, count_elements, &count);
    return count;
}

/* ---- freezing ---- */

typedef struct {
    bool trainable;
    int n;
} trainable_request;

static void set_trainable(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    trainable_request *const w = context;
    (void)name, (void)owner;
    if (slot->buffer) return;
    tg_want_grad(slot->tensor, w->trainable);
    if (!w->trainable) tg_clear_grad(slot->tensor);
    w->n++;
}

static int set_all(tg_module *m, bool trainable)
{
    trainable_request w = { .trainable = trainable };
    if (m && tg_ok(m->scope) && tg_slots_sound(m->scope, m)) tg_each_param(m, set_trainable, &w);
    return w.n;
}

int tg_freeze(tg_module *m) { return set_all(m, false); }
int tg_unfreeze(tg_module *m) { return set_all(m, true); }
