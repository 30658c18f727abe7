/* steps.h - the passes of a run, and the list of calls that they hand on.  Private to lib/run. */
#ifndef TG_STEPS_H
#define TG_STEPS_H
#include "core.h"

struct tg_packing { /* the input that a call of the run reads packed */
    const tg_layout *layout;
    int32_t key[TG_LAYOUT_KEY];
    int input;
    size_t bytes;
    tg_pack *kept; /* NULL: packed into the call's scratch */
};

typedef struct tg_value { /* what the passes note about a storage that the list uses; its `value` leads here */
    tg_storage *storage;
    struct tg_value *next;
    struct tg_remat *remat; /* its second copy, while recompute.c works; else NULL */
    const tg_call *reader;  /* the last call in the list that reads it, and ... */
    int32_t readers;        /* ... how many inputs of calls do, when tg_count_readers was last called */
    int32_t last_use;       /* the last call that reads or writes it */
    uint32_t read, written; /* the pass that marked it so; see tg_new_pass */
    bool moved, freed;      /* its block went to an output; its block was given back */
} tg_value;

typedef struct {
    tg_program *program;
    tg_call **at; /* copies of the pending calls, and fused calls, in execution order */
    int n;
    bool middle;      /* the program continues: user code holds the tensors that it made */
    tg_value *values; /* of all storages in it, linked by `next` ... */
    tg_value *spare;  /* ... and memory for n_spare more */
    int n_spare;
    uint32_t passes;        /* that marked values so far */
    struct tg_notes *notes; /* explain.h; NULL: nobody wants any */
} tg_list;

/* ---- the passes, in the order in which run.c calls them; false: out of memory, and nothing has run ---- */

bool tg_rewrite(tg_list *l);                               /* chains become fused calls */
bool tg_effects_last(tg_list *l);                          /* order.c: writes move to the end */
bool tg_recompute(tg_list *l);                             /* cheap values are computed twice instead of kept */
bool tg_widen_calls(tg_list *l);                           /* bf16 calls that only ref runs: f32, between casts */
bool tg_find_packing(tg_scope *s, tg_list *l, tg_call *c); /* layout.c: sets c->packing; false: s has failed */
void tg_find_epilogues(tg_list *l);
bool tg_plan(tg_list *l);                         /* addresses for all values; false: undone, nothing has changed */
tg_call *tg_execute(tg_list *l, tg_fault *fault); /* NULL: all ran; else the call whose kernel rejects its data */

/* ---- steps.c: the list, its memory and its values ---- */

void *tg_run_take(tg_list *l, size_t bytes);           /* zeroed, until the run ends; NULL: out of memory */
bool tg_held(const tg_list *l, const tg_storage *t);   /* code outside the record may read it */
bool tg_wanted(const tg_list *l, const tg_storage *t); /* held, or a later backward reads it */
bool tg_dies(const tg_list *l, const tg_storage *t);   /* nothing reads it after its last use in the list */

bool tg_add_value(tg_list *l, tg_storage *t);         /* sets t->value, which is NULL; false: out of memory */
void tg_forget_values(tg_list *l);                    /* at the end of the run */
tg_storage *tg_run_storage(tg_list *l, size_t bytes); /* of a value that only the run sees; NULL: out of memory */
/* A number to mark values with (read, written), so that no pass has to clear the marks of the one before. */
static inline uint32_t tg_new_pass(tg_list *l) { return ++l->passes; }

/* ---- what passes share ---- */

void tg_count_readers(const tg_list *l);                   /* steps.c: sets reader and readers of every value */
void tg_find_last_uses(const tg_list *l);                  /* plan.c: sets last_use of every value */
size_t tg_scratch_bytes(const tg_call *c, size_t *worker); /* plan.c: of all workers and shared; of one worker */
size_t tg_packing_bytes(const tg_call *c);                 /* layout.c: in the call's scratch */
const void *tg_pack_input(const tg_call *c);               /* layout.c: packs it if stale; NULL: no packed input */

/* epilogue.c */
size_t tg_epilogue_bytes(const tg_call *c); /* what a task passes to its epilogue; 0: c has none */
typedef struct {
    int input;           /* of the epilogue: out[0] of the call */
    int64_t made, taken; /* elements that a task of the call makes, that a task of the epilogue takes */
} tg_parts;
tg_parts tg_parts_of(const tg_call *c);
/* Runs a task of c's last phase, then those of its epilogue; `room` has tg_epilogue_bytes. */
void tg_run_with_epilogue(const tg_call *c, const tg_parts *parts, const tg_task *task, char *room);
#endif
