/* sequential.c - modules in sequence. */
#include "layer.h"
#include <stdio.h>

static tg_tensor *sequential_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    for (tg_module *c = m->first_child; c; c = c->next) x = tg_forward(s, c, x);
    return x;
}

/* In a failed scope a constructor in the list may have returned NULL, which ends the list early, so s is checked first.
 */
tg_module *tg_sequential(tg_scope *s, tg_module *const *list)
{
    tg_module *m = tg_module_new(s, sizeof *m, "Sequential", sequential_forward);
    if (m && !list) tg_fail(s, "Sequential: the list is NULL");
    for (int i = 0; m && tg_ok(s) && list[i]; i++) {
        char name[24];
        snprintf(name, sizeof name, "%d", i);
        tg_child(s, m, name, list[i]);
    }
    return tg_ok(s) ? m : NULL;
}
