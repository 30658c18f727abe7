/* steps.h - the steps of a run, and the list of calls that they hand on.  Private to lib/run. */
#ifndef TG_STEPS_H
#define TG_STEPS_H
#include "core.h"

struct tg_packing { /* of a call in a run: what it reads packed */
    const tg_layout *layout;
    int32_t key[TG_LAYOUT_KEY];
    int input;
    size_t bytes;
    tg_pack *kept; /* NULL: packed into the call's scratch */
};

typedef struct {
    tg_program *program;
    tg_call **at; /* copies of the pending calls, and fused calls, in the order in which they run */
    int n;
    bool middle; /* the program continues: user code holds the tensors that it made */
} tg_list;

/* ---- in the order in which run.c takes them; false: no memory, and nothing has run ---- */

bool tg_rewrite(tg_list *l);                               /* chains become fused calls */
bool tg_effects_last(tg_list *l);                          /* order.c: writes move to the end */
bool tg_recompute(tg_list *l);                             /* cheap values are made twice instead of kept */
bool tg_widen_calls(tg_list *l);                           /* casts around what only ref would run, in bf16 */
bool tg_find_packing(tg_scope *s, tg_list *l, tg_call *c); /* layout.c: sets c->packing; false: s has failed */
void tg_find_epilogues(tg_list *l);
bool tg_plan(tg_list *l);                         /* memory for all values; false: undone, nothing has changed */
tg_call *tg_execute(tg_list *l, tg_fault *fault); /* NULL: all ran; else the call whose kernel rejects its data */

/* ---- what they ask of the list (steps.c) and of each other ---- */

void *tg_run_take(tg_list *l, size_t bytes);           /* memory that lasts as long as the run; NULL: none */
bool tg_held(const tg_list *l, const tg_storage *t);   /* somebody outside of the record may ask for it */
bool tg_wanted(const tg_list *l, const tg_storage *t); /* held, or a backward to come will read it */
bool tg_dies(const tg_list *l, const tg_storage *t);   /* nobody asks for it after its last use in the list */

void tg_find_last_uses(const tg_list *l);                  /* plan.c: sets last_use of every storage in the list */
size_t tg_scratch_bytes(const tg_call *c, size_t *worker); /* plan.c: of all workers and shared; of one worker */
size_t tg_packing_bytes(const tg_call *c);                 /* layout.c: in the call's scratch */
const void *tg_pack_input(const tg_call *c); /* layout.c: packs it unless its pack is up to date; NULL: there is none */

/* epilogue.c */
size_t tg_epilogue_bytes(const tg_call *c); /* that a task makes for it; 0: c has no epilogue */
typedef struct {
    int input;
    int64_t made, taken; /* elements that a task of the call makes, that a task of the epilogue takes */
} tg_parts;
tg_parts tg_parts_of(const tg_call *c);
/* A task of c's last phase, then those of its epilogue; `room` has tg_epilogue_bytes. */
void tg_run_with_epilogue(const tg_call *c, const tg_parts *parts, const tg_task *task, char *room);
#endif
