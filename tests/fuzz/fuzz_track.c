/* fuzz_track.c - tracks a program without tensors: which values exist, and which inputs have been overwritten. */
#include "fuzz.h"

enum { NEVER = INT16_MAX };

void fuzz_track_start(fuzz_track *t)
{
    static const uint8_t shape_of[OPERANDS] = { [X0] = IMAGE, [X1] = IMAGE, [V] = MAT, [C] = VEC };
    *t = (fuzz_track){ .depth = 0 };
    for (int id = 0; id < IDS; id++)
        for (int l = 0; l < LEAVES; l++) t->first_read[id][l] = NEVER;
    for (int l = 0; l < LEAVES; l++) {
        t->written[l] = -1;
        t->taped[l] = fuzz_wants_grad(l);
        t->alive[l] = true;
        t->shape[l] = l < OPERANDS ? shape_of[l] : SHAPES; /* no shape, so not an operand */
    }
}

bool fuzz_overwritten(const fuzz_track *t, int id)
{
    for (int l = 0; l < LEAVES; l++)
        if (t->first_read[id][l] != NEVER && t->written[l] > t->first_read[id][l]) return true;
    return false;
}

static bool is_alive(const fuzz_track *t, int id) { return id >= 0 && id < IDS && t->alive[id]; }

static bool fits_second(const fuzz_track *t, const fuzz_op *op, int a, int b)
{
    if (op->second == ALONE) return true;
    if (!is_alive(t, b)) return false;
    if (t->shape[a] == t->shape[b]) return true;
    bool by_four = t->shape[a] == IMAGE || t->shape[a] == HALF || t->shape[a] == ROWS || t->shape[a] == MAT;
    return op->second == LIKE_OR_VEC && by_four && t->shape[b] == VEC;
}

static void reads(fuzz_track *t, int id, int leaf, int when)
{
    if (when < t->first_read[id][leaf]) t->first_read[id][leaf] = (int16_t)when;
}

/* The result depends on the leaves that its operand read; an operand that is a leaf is read now. */
static void inherit(fuzz_track *t, int id, int from, int now)
{
    if (from < LEAVES) reads(t, id, from, now);
    for (int l = 0; l < LEAVES; l++) reads(t, id, l, t->first_read[from][l]);
    t->taped[id] |= t->taped[from];
}

static void make(fuzz_track *t, int id, int shape, int level)
{
    for (int l = 0; l < LEAVES; l++) t->first_read[id][l] = NEVER;
    t->alive[id] = true;
    t->taped[id] = false;
    t->shape[id] = (uint8_t)shape;
    t->level[id] = (uint8_t)level;
}

static bool call(fuzz_track *t, const fuzz_step *step, int i)
{
    const fuzz_op *op = fuzz_ops + step->op;
    int id = LEAVES + i;
    if (!is_alive(t, step->a) || t->shape[step->a] == SHAPES) return false;
    if (!op->to[t->shape[step->a]] || !fits_second(t, op, step->a, step->b)) return false;
    if (op->views && step->a < LEAVES) return false; /* a view of a leaf changes with it */
    make(t, id, op->to[t->shape[step->a]] - 1, t->in_eval ? 2 : 1);
    inherit(t, id, step->a, i);
    if (op->second != ALONE) inherit(t, id, step->b, i);
    for (int l = 0; l < LEAVES; l++) {
        bool tracked = op->tracks & LEAF(l);
        if ((op->reads & LEAF(l)) || (tracked && t->in_eval)) {
            reads(t, id, l, i);
            t->taped[id] |= fuzz_wants_grad(l);
        }
        if (tracked && !t->in_eval) t->written[l] = (int16_t)i;
    }
    t->taped[id] = t->taped[id] && !t->in_eval && !op->cuts;
    return true;
}

static bool backward(fuzz_track *t, int a)
{
    if (!is_alive(t, a) || t->shape[a] != ONE || !t->taped[a] || t->level[a] != 1 || t->depth) return false;
    for (int l = 0; l < LEAVES; l++) t->graded[l] |= fuzz_wants_grad(l) && t->first_read[a][l] != NEVER;
    return true;
}

static bool update(fuzz_track *t, int i)
{
    if (t->depth) return false;
    for (int l = 0; l < LEAVES; l++) {
        if (!fuzz_is_param(l) || !t->graded[l]) continue;
        t->written[l] = (int16_t)i;
        t->graded[l] = false;
    }
    return true;
}

static void kill(fuzz_track *t, int level)
{
    for (int id = LEAVES; id < IDS; id++)
        if (t->level[id] >= level) t->alive[id] = false;
}

static bool open_nest(fuzz_track *t, fuzz_kind kind)
{
    if (t->depth == MAX_NESTING || (kind == EVAL && t->in_eval)) return false;
    t->nest[t->depth++] = (uint8_t)kind;
    t->in_eval |= kind == EVAL;
    return true;
}

static bool close_nest(fuzz_track *t, fuzz_kind kind)
{
    if (!t->depth || t->nest[t->depth - 1] != kind) return false;
    t->depth--;
    if (kind == EVAL) {
        t->in_eval = false;
        kill(t, 2);
    }
    return true;
}

static bool copy(fuzz_track *t, int a, int i)
{
    if (!is_alive(t, a) || a < LEAVES) return false;
    make(t, LEAVES + i, t->shape[a], 0);
    return true;
}

static bool edit(fuzz_track *t, int a, int i)
{
    if (a < 0 || a >= LEAVES) return false;
    t->written[a] = (int16_t)i;
    return true;
}

static bool is_graded_leaf(int a) { return a >= 0 && a < LEAVES && fuzz_wants_grad(a); }

bool fuzz_track_step(fuzz_track *t, const fuzz_program *p, int i)
{
    const fuzz_step *step = p->step + i;
    switch ((fuzz_kind)step->kind) {
    case CALL: return call(t, step, i);
    case READ: return is_alive(t, step->a);
    case READ_GRAD: return is_graded_leaf(step->a);
    case EDIT: return edit(t, step->a, i);
    case BACKWARD: return backward(t, step->a);
    case UPDATE: return update(t, i);
    case RESET: return t->depth ? false : (kill(t, 1), true);
    case ENTER: return open_nest(t, ENTER);
    case LEAVE: return is_alive(t, step->a) && close_nest(t, ENTER);
    case EVAL: return open_nest(t, EVAL);
    case EVAL_END: return close_nest(t, EVAL);
    case COPY: return copy(t, step->a, i);
    case CLEAR_GRAD:
        if (is_graded_leaf(step->a)) t->graded[step->a] = false;
        return is_graded_leaf(step->a);
    default: return false;
    }
}
