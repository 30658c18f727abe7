/* checkpoint.c - a model and its optimizer in a file.  See checkpoint.h. */
#include "checkpoint.h"
#include "cpu.h"
#include "parallel.h"
#include "version.h"
#include <stdio.h>

/* What wrote it: for people, and to explain differing bits. */
static void visit_made(tg_state *to, void *what)
{
    char threads[16];
    (void)what;
    snprintf(threads, sizeof threads, "%d", tg_threads());
    tg_state_note(to, "version", TG_VERSION);
    tg_state_note(to, "isa", tg_isa_name(tg_max_isa()));
    tg_state_note(to, "threads", threads);
}

typedef struct {
    tg_stateful thing[4];
    int n;
} parts;

static parts parts_of(tg_scope *s, tg_module *model, tg_optim *opt)
{
    parts p = { .thing = { tg_module_state(model), { .prefix = "made/", .visit = visit_made } }, .n = 2 };
    if (!opt) return p;
    p.thing[p.n++] = tg_optim_state(opt);
    p.thing[p.n++] = tg_random_state(s);
    return p;
}

void tg_save(tg_scope *s, const char *path, tg_module *model, tg_optim *opt)
{
    const parts p = parts_of(s, model, opt);
    tg_save_all(s, path, p.thing, p.n);
}

void tg_load(tg_scope *s, const char *path, tg_module *model, tg_optim *opt)
{
    const parts p = parts_of(s, model, opt);
    tg_load_all(s, path, p.thing, p.n);
}
