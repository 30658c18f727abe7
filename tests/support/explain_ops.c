/* explain_ops.c - see explain_ops.h. */
#include "explain_ops.h"

enum { PIECE = 4 };

static void infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }

static void infer_effect(tg_scope *s, tg_call *c)
{
    (void)s;
    (void)c;
}

/* ---- whole, and in pieces ---- */

static void run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0; i < tg_count(c->out[0]); i++) tg_set(c->out[0], i, tg_get(c->in[0], i) + 1);
}

static void run_effect(const tg_call *c, const tg_task *task)
{
    (void)task;
    tg_set(c->in[0], 0, 3);
}

static int64_t tasks(const tg_call *c, int phase) { return phase ? 0 : tg_count(c->in[0]) / PIECE; }

static int64_t makes(const tg_call *c)
{
    (void)c;
    return PIECE;
}

static int64_t takes(const tg_call *c, int k)
{
    (void)c;
    return k == 0 ? PIECE : 0;
}

static void run_piece(const tg_call *c, const tg_task *task)
{
    for (int64_t i = PIECE * task->index; i < PIECE * (task->index + 1); i++)
        tg_set(c->out[0], i, tg_get(c->in[0], i) + 1);
}

/* ---- packed ---- */

static size_t plain_bytes(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    (void)key;
    return (size_t)tg_count(w) * sizeof(float);
}

static void plain_pack(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to)
{
    (void)key;
    for (int64_t i = r0; i < r1; i++) ((float *)to)[i] = (float)tg_get(w, i);
}

static const tg_layout plain = { "plain", plain_bytes, plain_pack };

static const tg_layout *layout(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY])
{
    (void)c;
    (void)key;
    *input = 1;
    return &plain;
}

/* ---- operators ---- */

static const tg_kernel whole = { .name = "whole", .backend = "ref", .run = run };
static const tg_kernel effect = { .name = "effect", .backend = "ref", .run = run_effect };
static const tg_kernel making = {
    .name = "making", .backend = "ref", .tasks = tasks, .makes = makes, .run = run_piece
};
static const tg_kernel taking = {
    .name = "taking", .backend = "ref", .tasks = tasks, .takes = takes, .run = run_piece
};
static const tg_kernel packing = { .name = "packing", .backend = "ref", .layout = layout, .run = run };

#define OPERATOR(name_, n_in_, kernel_, ...) \
    { \
        .name = name_, .n_in = n_in_, .n_out = 1, .infer = infer, .kernels = TG_KERNELS(kernel_), __VA_ARGS__ \
    }

static const tg_op head_tail_op = OPERATOR("head_tail", 3, &whole, .optional_in = 6);
static const tg_op tail_op = OPERATOR("tail", 2, &whole, .optional_in = 2);
extern const tg_rule head_tail_rule;
static const tg_op head_op = OPERATOR("head", 2, &whole, .optional_in = 2, .rules = TG_RULES(&head_tail_rule));
static bool is_vector(const tg_call *const chain[]) { return chain[0]->in[0]->rank == 1; }
const tg_rule head_tail_rule = {
    .chain = { &head_op, &tail_op },
    .fused = &head_tail_op,
    .emit = { { 1, 0 } },
    .n_emit = 1,
    .fits = is_vector,
};
static const tg_op poke_op = {
    .name = "poke",
    .n_in = 1,
    .writes = 1,
    .infer = infer_effect,
    .kernels = TG_KERNELS(&effect),
};
static const tg_op cheap_again_op = OPERATOR("cheap", 1, &whole, .alias = false);
static const tg_op cheap_op = OPERATOR("cheap", 1, &whole, .remade_by = &cheap_again_op);
static const tg_op maker_op = OPERATOR("maker", 1, &making, .alias = false);
static const tg_op taker_op = OPERATOR("taker", 1, &taking, .alias = false);
static const tg_op packer_op = OPERATOR("packer", 2, &packing, .alias = false);

static tg_tensor *apply(tg_scope *s, const tg_op *op, tg_tensor *a, tg_tensor *b)
{
    return tg_apply(s, op, (tg_tensor *[]){ a, b }, NULL);
}

tg_tensor *head(tg_scope *s, tg_tensor *x, tg_tensor *a) { return apply(s, &head_op, x, a); }
tg_tensor *tail(tg_scope *s, tg_tensor *x, tg_tensor *b) { return apply(s, &tail_op, x, b); }
void poke(tg_scope *s, tg_tensor *leaf) { apply(s, &poke_op, leaf, NULL); }
tg_tensor *cheap(tg_scope *s, tg_tensor *x) { return apply(s, &cheap_op, x, NULL); }
tg_tensor *maker(tg_scope *s, tg_tensor *x) { return apply(s, &maker_op, x, NULL); }
tg_tensor *taker(tg_scope *s, tg_tensor *x) { return apply(s, &taker_op, x, NULL); }
tg_tensor *packer(tg_scope *s, tg_tensor *x, tg_tensor *w) { return apply(s, &packer_op, x, w); }
