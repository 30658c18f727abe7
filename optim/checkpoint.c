/* checkpoint.c - a model and its optimizer in a file.  See checkpoint.h. */
#include "checkpoint.h"

typedef struct { tg_stateful thing[3]; int n; } parts;

static parts parts_of(tg_scope *s, tg_module *model, tg_optim *opt)
{
    parts p = { .thing = { tg_module_state(model) }, .n = 1 };
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
