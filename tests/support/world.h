/* world.h - the fixture of tests of the record: a root and a training step. */
#ifndef TG_WORLD_H
#define TG_WORLD_H
#include "core.h"

/* Every test starts with a root and a training step, and ends by closing them. */
typedef struct {
    tg_scope *root, *s;
} world;

static inline int open_world(void **state)
{
    static world w;
    w.root = tg_open();
    w.s = tg_train(w.root);
    *state = &w;
    return 0;
}

static inline int close_world(void **state)
{
    tg_close(((world *)*state)->root);
    return 0;
}

#define WORLD \
    world *w = *state; \
    tg_scope *root = w->root, *s = w->s; \
    (void)root, (void)s

static inline void accumulate(tg_scope *s, tg_tensor *to, tg_tensor *from)
{
    tg_apply(s, &tg_accumulate_op, (tg_tensor *[]){ to, from }, NULL);
}
#endif
