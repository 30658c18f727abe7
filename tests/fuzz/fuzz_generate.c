/* fuzz_generate.c - generates a random program from a seed, and lists it. */
#include "fuzz.h"
#include <stdio.h>

typedef struct {
    fuzz_program *p;
    fuzz_track track;
    uint64_t drawn;
    int want_steps;
} generator;

static uint32_t draw(generator *g, uint32_t n) { return tg_random_below((tg_stream){ g->p->seed, 77 }, g->drawn++, n); }
static bool chance(generator *g, uint32_t percent) { return draw(g, 100) < percent; }

/* Appends a step if it is possible. */
static bool append(generator *g, fuzz_step step)
{
    int i = g->p->n;
    if (i >= MAX_STEPS) return false;
    step.bits = draw(g, UINT32_MAX);
    g->p->step[i] = step;
    if (!fuzz_track_step(&g->track, g->p, i)) return false;
    g->p->n++;
    return true;
}

/* A value that `fits`: mostly the newest, rarely one with overwritten inputs; -1: none. */
static int pick(generator *g, bool (*fits)(const fuzz_track *t, int id, const void *what), const void *what)
{
    int found[IDS], n = 0;
    bool stale_too = chance(g, 4);
    for (int id = 0; id < LEAVES + g->p->n; id++)
        if (g->track.alive[id] && fits(&g->track, id, what) && (stale_too || !fuzz_overwritten(&g->track, id)))
            found[n++] = id;
    if (!n) return -1;
    return found[chance(g, 55) ? n - 1 : (int)draw(g, (uint32_t)n)];
}

static bool fits_first(const fuzz_track *t, int id, const void *what)
{
    return t->shape[id] != SHAPES && ((const fuzz_op *)what)->to[t->shape[id]];
}

static bool has_shape(const fuzz_track *t, int id, const void *what) { return t->shape[id] == *(const int *)what; }
static bool is_loss(const fuzz_track *t, int id, const void *what)
{
    (void)what;
    return t->shape[id] == ONE && t->taped[id] && t->level[id] == 1;
}

static bool is_slot(const fuzz_track *t, int id, const void *what)
{
    (void)t, (void)what;
    return id >= LEAVES;
}

static bool is_any(const fuzz_track *t, int id, const void *what)
{
    (void)t, (void)id, (void)what;
    return true;
}

static bool call(generator *g, const fuzz_op *op)
{
    fuzz_step step = { .kind = CALL, .op = (uint8_t)(op - fuzz_ops), .b = -1 };
    step.a = (int16_t)pick(g, fits_first, op);
    if (step.a < 0) return false;
    if (op->second != ALONE) {
        int shape = op->second == LIKE_OR_VEC && chance(g, 25) ? VEC : g->track.shape[step.a];
        step.b = (int16_t)pick(g, has_shape, &shape);
    }
    return append(g, step);
}

static bool call_some(generator *g)
{
    int total = 0, k = 0;
    for (int i = 0; i < fuzz_op_count; i++) total += fuzz_ops[i].weight;
    for (int left = (int)draw(g, (uint32_t)total); left >= fuzz_ops[k].weight; k++) left -= fuzz_ops[k].weight;
    return call(g, fuzz_ops + k);
}

static bool unary(generator *g, fuzz_kind kind, int a)
{
    return append(g, (fuzz_step){ (uint8_t)kind, 0, (int16_t)a, -1, 0 });
}

/* Backward from a loss, created first if there is none; then often the next steps of a training loop. */
static bool backward(generator *g)
{
    for (int i = 0; i < 8 && pick(g, is_loss, NULL) < 0; i++) {
        const fuzz_op *op = fuzz_ops + draw(g, (uint32_t)fuzz_op_count);
        if (op->to[IMAGE] == ONE + 1) call(g, op);
    }
    if (!unary(g, BACKWARD, pick(g, is_loss, NULL))) return false;
    if (chance(g, 50)) unary(g, UPDATE, -1);
    if (chance(g, 30)) unary(g, RESET, -1);
    return true;
}

static bool some_step(generator *g)
{
    uint32_t kind = draw(g, 100), leaf = draw(g, LEAVES);
    bool ends = g->track.depth && chance(g, 15), evaluates = ends && g->track.nest[g->track.depth - 1] == EVAL;
    if (ends) return evaluates ? unary(g, EVAL_END, -1) : unary(g, LEAVE, pick(g, is_slot, NULL));
    if (kind < 70) return call_some(g);
    if (kind < 76) return unary(g, READ, pick(g, is_any, NULL));
    if (kind < 78) return unary(g, READ_GRAD, (int)leaf);
    if (kind < 80) return unary(g, EDIT, (int)leaf);
    if (kind < 87) return backward(g);
    if (kind < 89) return unary(g, UPDATE, -1);
    if (kind < 91) return unary(g, RESET, -1);
    if (kind < 95) return unary(g, ENTER, -1);
    if (kind < 97) return unary(g, EVAL, -1);
    if (kind < 99) return unary(g, COPY, pick(g, is_slot, NULL));
    return unary(g, CLEAR_GRAD, (int)leaf);
}

void fuzz_generate(fuzz_program *p, uint64_t seed)
{
    *p = (fuzz_program){ .seed = seed };
    generator g = { .p = p };
    fuzz_track_start(&g.track);
    g.want_steps = 5 + (int)draw(&g, 56);
    for (int tries = 0; p->n < g.want_steps && tries < 1000; tries++) some_step(&g);
}

/* ---- the listing ---- */

static const char *name_of(int id, char text[8])
{
    if (id < LEAVES) return id < 0 ? "-" : fuzz_leaf_name(id);
    snprintf(text, 8, "s%d", id - LEAVES);
    return text;
}

void fuzz_print(const fuzz_program *p)
{
    static const char *const kinds[KINDS] = {
        [READ] = "read",
        [READ_GRAD] = "read the gradient of",
        [EDIT] = "edit",
        [BACKWARD] = "backward from",
        [UPDATE] = "update",
        [RESET] = "reset the step",
        [ENTER] = "enter a module",
        [LEAVE] = "leave it with",
        [EVAL] = "open an evaluation",
        [EVAL_END] = "end it",
        [CLEAR_GRAD] = "clear the gradient of",
    };
    char a[8], b[8];
    printf("program of seed %llu:\n", (unsigned long long)p->seed);
    for (int i = 0; i < p->n; i++) {
        const fuzz_step *step = p->step + i;
        const char *first = name_of(step->a, a), *second = name_of(step->b, b);
        if (step->kind == CALL)
            printf("  s%d = %s(%s, %s), bits %u\n", i, fuzz_ops[step->op].name, first, second, step->bits % 120);
        else if (step->kind == COPY) printf("  s%d = copy of %s in the root\n", i, first);
        else if (step->kind != DROPPED) printf("  %s %s\n", kinds[step->kind], step->a < 0 ? "" : first);
    }
}
