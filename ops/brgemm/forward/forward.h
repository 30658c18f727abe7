/* forward.h - the loop nest of forward and backward-data convolutions, and of linear layers, over a microkernel.
 *
 * A linear layer on a batch of a few hundred rows may be `transposed`: y^T = w x^T.  Weights are the large operand
 * there, and as A they are read where they lie: neither this pass packs them nor do updates, whose packing goes to
 * memory.  So x of the shape is the weights, and w is the batch, packed as weights would be.  A task's sums, some rows
 * of y^T in f32, lie in its scratch; the task transposes them, adds the bias and rounds.  For tiles only. */
#ifndef TG_FORWARD_H
#define TG_FORWARD_H
#include "nest.h"

typedef struct {
    tg_nest nest;
    bool shared;                 /* A is packed in a phase of its own, as several tasks read it */
    bool stream;                 /* y is so large that it would leave the cache before it is read */
    bool two;                    /* a product takes two panels at a time, if there are two */
    bool mends;                  /* NaN outputs may come from padding: see mend.h */
    int64_t image_blocks;        /* tasks are groups x these x nest.blocks x panel_parts */
    int64_t panels, panel_parts; /* panels of a task; how many tasks share a block */
    struct {
        int64_t lines, k; /* kernel lines; k of a line, less than all only for kernels of one tap */
        int64_t count;
    } k_block; /* what is taken of a panel at a time */
    struct {
        size_t widened, sums, batch, transposed;
    } bytes; /* of a worker's scratch after A */
} tg_forward;

tg_forward tg_forward_plan(const tg_nest_shape *shape);
void tg_forward_key(const tg_forward *f, int32_t key[TG_LAYOUT_KEY]); /* of the packed weights */
tg_scratch tg_forward_scratch(const tg_forward *f);
int64_t tg_forward_blocks(const tg_forward *f); /* of outputs, each with all panels */
int64_t tg_forward_tasks(const tg_forward *f, int phase);
int64_t tg_forward_makes(const tg_forward *f); /* elements of y that a task writes in one piece; 0: in several */
/* read_at_once: an epilogue reads y, so it should stay in the cache. */
void tg_forward_run(const tg_forward *f, const tg_nest_data *d, bool read_at_once, const tg_task *t);
/* Columns n0 to n1 - 1 of y, from these rows of y^T. */
void tg_store_transposed(const tg_nest_shape *s, const tg_nest_data *d, const float *sums, int64_t n0, int64_t n1);
#endif
