/* scope.c - the tree of scopes: lifetime, modes, the first error.  See scope.h. */
#include "core.h"
#include "environment.h"
#include "pool.h"
#include "printable.h"
#include "system.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returned when even the scope cannot be allocated: it has failed, and nothing can be created in it. */
static tg_program nowhere = { .failed = 2 };
static tg_scope out_of_memory = {
    .program = &nowhere,
    .failed = true,
    .message = "out of memory: a scope",
    .system_error = ENOMEM,
};
static tg_scope orphan = { .program = &nowhere, .failed = true, .message = "the scope is NULL" };

/* NULL counts as a failed scope. */
static bool is_no_scope(const tg_scope *s) { return !s || s->program == &nowhere; }

static bool env_flag(const char *name, bool otherwise)
{
    const char *value = getenv(name);
    return value && *value ? strcmp(value, "0") != 0 : otherwise;
}

static tg_recompute_mode env_recompute(void)
{
    const char *value = getenv("TG_RECOMPUTE");
    if (value && !strcmp(value, "all")) return TG_RECOMPUTE_ALL;
    return env_flag("TG_RECOMPUTE", true) ? TG_RECOMPUTE_LARGE : TG_RECOMPUTE_NONE;
}

tg_scope *tg_open(void)
{
    tg_program *p = tg_system_alloc(sizeof *p);
    tg_scope *s = tg_system_alloc(sizeof *s);
    if (!p || !s || !tg_memory_open(&p->memory)) {
        tg_system_free(p);
        tg_system_free(s);
        return &out_of_memory;
    }
    p->root = s;
    p->options = (tg_options){
        .fuse = env_flag("TG_FUSE", true),
        .eager = env_flag("TG_EAGER", false),
        .recompute = env_recompute(),
        .epilogues = env_flag("TG_EPILOGUE", true),
    };
    s->program = p;
    tg_pool_open();
    char wrong[TG_MESSAGE];
    if (tg_environment_wrong(wrong, sizeof wrong)) tg_fail(s, "%s", wrong);
    return s;
}

tg_scope *tg_push_modes(tg_scope *parent, tg_modes modes)
{
    if (is_no_scope(parent)) return parent ? parent : &orphan;
    tg_scope *s = tg_system_alloc(sizeof *s);
    if (!s) {
        tg_fail_system(parent, ENOMEM, "out of memory: a scope");
        return &out_of_memory;
    }
    *s = (tg_scope){
        .program = parent->program,
        .parent = parent,
        .depth = parent->depth + 1,
        .modes = modes,
        .life = ++parent->program->lives,
    };
    s->sibling = parent->first_child;
    parent->first_child = s;
    return s;
}

tg_modes tg_scope_modes(const tg_scope *s) { return s ? s->modes : (tg_modes){ .grad = false }; }

tg_scope *tg_push(tg_scope *parent)
{
    return tg_push_modes(parent, (tg_modes){ .autocast = tg_scope_modes(parent).autocast });
}

tg_scope *tg_train(tg_scope *parent)
{
    return tg_push_modes(parent,
                         (tg_modes){ .grad = true, .train = true, .autocast = tg_scope_modes(parent).autocast });
}

bool tg_autocast(tg_scope *s, bool on)
{
    const bool was = tg_scope_modes(s).autocast;
    if (!is_no_scope(s)) s->modes.autocast = on;
    return was;
}

bool tg_is_ancestor(const tg_scope *ancestor, const tg_scope *s)
{
    while (s && s->depth > ancestor->depth) s = s->parent;
    return s == ancestor;
}

/* ---- errors ---- */

/* Most trees have no failed scope, so the walk to the root is rarely needed. */
bool tg_ok(const tg_scope *s)
{
    if (!s || !s->program->failed) return s;
    for (; s; s = s->parent)
        if (s->failed) return false;
    return true;
}

const char *tg_message(const tg_scope *s)
{
    if (!s) return orphan.message;
    for (; s; s = s->parent)
        if (s->failed) return s->whole ? s->whole : s->message;
    return "";
}

int tg_system_error(const tg_scope *s)
{
    for (; s; s = s->parent)
        if (s->failed) return s->system_error;
    return 0;
}

/* Stores the printable form of the message in s->message; if it doesn't fit, all of it in s->whole, memory permitting.
 */
static void keep_message(tg_scope *s, const char *text)
{
    const size_t n = strlen(text), length = tg_printable_text(text, n, s->message, sizeof s->message);
    if (length < sizeof s->message || !(s->whole = tg_system_alloc(length + 1))) return;
    tg_printable_text(text, n, s->whole, length + 1);
}

/* The message starts with "where: " unless `where` is empty. */
static void fail(tg_scope *s, const char *where, int error, const char *format, va_list list)
{
    char text[TG_MESSAGE], *more = NULL;
    va_list again;
    if (!tg_ok(s)) return;
    va_copy(again, list);
    const int named = *where ? snprintf(text, sizeof text, "%s: ", where) : 0;
    const size_t begin = (size_t)named < sizeof text ? (size_t)named : sizeof text - 1;
    const size_t whole = (size_t)named + (size_t)vsnprintf(text + begin, sizeof text - begin, format, list) + 1;
    if (whole > sizeof text && (more = tg_system_alloc(whole))) {
        if (named) snprintf(more, whole, "%s: ", where);
        vsnprintf(more + named, whole - (size_t)named, format, again);
    }
    va_end(again);
    keep_message(s, more ? more : text);
    tg_system_free(more);
    s->system_error = error;
    s->failed = true;
    s->program->failed++;
    if (env_flag("TG_ABORT", false)) abort();
}

void tg_fail(tg_scope *s, const char *format, ...)
{
    if (!tg_ok(s)) return;
    va_list list;
    va_start(list, format);
    fail(s, tg_where_now(s->program), 0, format ? format : "the message is NULL", list);
    va_end(list);
}

void tg_fail_in(tg_scope *s, const char *where, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fail(s, where, 0, format, list);
    va_end(list);
}

void tg_fail_system(tg_scope *s, int error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fail(s, "", error, format ? format : "the message is NULL", list);
    va_end(list);
}

void tg_clear(tg_scope *s)
{
    if (is_no_scope(s)) return;
    s->program->failed -= s->failed;
    s->failed = false;
    s->system_error = 0;
    s->message[0] = 0;
    tg_system_free(s->whole);
    s->whole = NULL;
}

/* ---- memory ---- */

void *tg_alloc(tg_scope *s, size_t bytes)
{
    if (!tg_ok(s)) return NULL;
    void *at = tg_arena_take(&s->arena, bytes);
    if (!at) tg_fail_system(s, ENOMEM, "out of memory: %zu bytes", bytes);
    return at;
}

const char *tg_strdup(tg_scope *s, const char *text)
{
    if (!text) return tg_fail(s, "strdup: the text is NULL"), NULL;
    size_t size = strlen(text) + 1;
    char *copy = tg_alloc(s, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

bool tg_defer(tg_scope *s, void (*release)(void *), void *what)
{
    if (!release) return tg_fail(s, "defer: the release function is NULL"), false;
    tg_deferred *d = tg_alloc(s, sizeof *d);
    if (!d) {
        release(what);
        return false;
    }
    *d = (tg_deferred){ release, what, s->deferred };
    s->deferred = d;
    return true;
}

/* ---- the end of a scope ---- */

static bool dies_with(const tg_call *c, const tg_scope *s) { return c->scope == s; }

/* A pending call of s writes or computes something that outlives s. */
static bool has_lasting(const tg_program *p, const tg_scope *s)
{
    for (size_t i = s->calls ? p->ran : p->n; i < p->n; i++) {
        const tg_call *c = p->record[i];
        if (!dies_with(c, s)) continue;
        if (c->op->writes) return true;
        TG_EACH_OUT(c, k)
            if (c->out[k]->storage->outer || c->out[k]->storage->scope != s) return true;
    }
    return false;
}

/* The index in the record of the first call of s. */
static size_t first_call(const tg_program *p, const tg_scope *s)
{
    size_t at = p->n;
    for (size_t left = s->calls; left; left -= dies_with(p->record[at], s)) at--;
    return at;
}

/* Removes the calls of s from the record.  The results of those still pending die with s. */
static void forget_calls(tg_program *p, tg_scope *s)
{
    const size_t first = first_call(p, s);
    size_t kept = first, ran = first < p->ran ? first : p->ran;
    for (size_t i = first; i < p->n; i++) {
        tg_call *c = p->record[i];
        bool pending = i >= p->ran;
        if (!dies_with(c, s)) {
            p->record[kept++] = c;
            ran += !pending;
            continue;
        }
        if (c->taped && !c->walked) tg_uncount_savers(c);
        TG_EACH_OUT(c, k) c->out[k]->storage->pending = c->out[k]->storage->pending && !pending;
    }
    p->n = kept;
    p->ran = ran;
    s->calls = 0;
}

static void free_contents(tg_scope *s)
{
    while (s->storages) tg_storage_free(s->storages);
    for (tg_deferred *d = s->deferred; d; d = d->next) d->release(d->what);
    s->deferred = NULL;
    tg_arena_reset(&s->arena);
    s->life = ++s->program->lives;
}

static void hand_error_up(tg_scope *s)
{
    if (!s->parent || !s->failed) return;
    s->failed = false;
    s->program->failed--;
    tg_fail_system(s->parent, s->system_error, "%s", s->whole ? s->whole : s->message);
    tg_clear(s);
}

/* The scope has no children. */
static void empty(tg_scope *s)
{
    if (has_lasting(s->program, s) && tg_ok(s)) tg_run(s, false);
    tg_drop_failed(s->program);
    forget_calls(s->program, s);
    free_contents(s);
    hand_error_up(s);
}

static void unlink_child(tg_scope *s)
{
    tg_scope **link = &s->parent->first_child;
    while (*link != s) link = &(*link)->sibling;
    *link = s->sibling;
}

static void close_program(tg_program *p)
{
    tg_memory_close(&p->memory);
    tg_arena_free(&p->slabs);
    tg_system_free(p->record);
    tg_system_free(p->needed);
    tg_arena_free(&p->run_arena);
    tg_system_free(p);
    tg_pool_close();
}

static void end(tg_scope *s)
{
    empty(s);
    tg_arena_free(&s->arena);
    if (s->parent) unlink_child(s);
    else close_program(s->program);
    tg_system_free(s->whole);
    tg_system_free(s);
}

/* Innermost first.  Iterative: scopes may be nested too deep for recursion. */
static void end_children(tg_scope *s)
{
    for (tg_scope *at = s; s->first_child;) {
        while (at->first_child) at = at->first_child;
        tg_scope *const parent = at->parent;
        end(at);
        at = parent;
    }
}

void tg_reset(tg_scope *s)
{
    if (is_no_scope(s)) return;
    end_children(s);
    empty(s);
}

void tg_pop(tg_scope *s)
{
    if (!s || is_no_scope(s)) return;
    end_children(s);
    end(s);
}

void tg_close(tg_scope *root) { tg_pop(root); }

/* ---- the tree ---- */

void tg_seed(tg_scope *s, uint64_t seed)
{
    if (!tg_ok(s)) return;
    s->program->seed = seed;
    s->program->random_counter = 0;
}

tg_options *tg_tree_options(tg_scope *s) { return &s->program->options; }

tg_stats tg_statistics(const tg_scope *s)
{
    if (!s) return (tg_stats){ .calls = 0 };
    tg_stats stats = s->program->stats;
    stats.bytes = s->program->memory.used;
    stats.peak_bytes = s->program->memory.peak;
    return stats;
}
