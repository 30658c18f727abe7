/* fuzz_run.c - executes a program in several modes, and compares them with the first, the teacher: eager, unfused, on
 * ref.  The teacher reads every value as soon as it is computed, so it knows the expected result of each read.  Each
 * lazy mode runs twice, the second time recomputing every value that can be, and must give the same bits. */
#include "fuzz.h"
#include "dispatch.h"
#include "run.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

uint64_t fuzz_made_twice, fuzz_epilogues;

enum { MOST = 256, LEAF_MOST = 144 }; /* elements */

typedef struct {
    const char *name, *backends;
    bool eager, fuse, splits; /* splits: additional reads at random points */
} fuzz_way;

static const fuzz_way ways[] = {
    { "eager on ref", "ref", true, false, false },
    { "fused", NULL, false, true, false },
    { "fused on ref, split by reads", "ref", false, true, true },
    { "unfused", NULL, false, false, false },
    { "eager", NULL, true, true, false },
};
enum { WAYS = sizeof ways / sizeof *ways };

typedef struct { /* the teacher's observations */
    int n;       /* steps executed before one failed as allowed */
    int count[MAX_STEPS];
    float slot[MAX_STEPS][MOST];
    float leaf[MAX_STEPS][LEAVES][LEAF_MOST], grad[MAX_STEPS][LEAVES][LEAF_MOST];
    bool has_grad[MAX_STEPS][LEAVES];
} lesson;

typedef struct {
    const fuzz_program *p;
    const fuzz_way *way;
    tg_recompute_mode recompute;
    lesson *lesson;
    uint64_t bits; /* a hash of all compared values */
    struct {
        uint64_t again, epilogues;
    } seen;             /* calls recomputed; calls with an epilogue */
    bool plainly;       /* without epilogues */
    bool teaches, over; /* over: a step failed as allowed, the rest cannot be compared */
    tg_scope *root, *step, *eval;
    fuzz_model model;
    tg_tensor *slot[IDS];
    fuzz_track track;
    int now;
    char *why;
} fuzz_run;

/* ---- comparing ---- */

static const char *way_name(const fuzz_run *r)
{
    static char text[64];
    snprintf(text, sizeof text, "%s%s", r->way->name, r->recompute ? ", made twice, no epilogues" : "");
    return text;
}

static bool differ(fuzz_run *r, int id, const char *what, const char *rest)
{
    char name[16];
    snprintf(name, sizeof name, "s%d", id - LEAVES);
    snprintf(r->why, FUZZ_TEXT, "%s, step %d: %s%s: %s", way_name(r), r->now, what,
             id < LEAVES ? fuzz_leaf_name(id) : name, rest);
    return false;
}

static bool same_numbers(fuzz_run *r, int id, const char *what, const float *got, const float *want, int n)
{
    double most = 1;
    char text[96];
    for (size_t i = 0; i < sizeof *got * (size_t)n; i++)
        r->bits = (r->bits ^ ((const unsigned char *)got)[i]) * 1099511628211u; /* FNV-1a */
    for (int i = 0; i < n; i++) most = fmax(most, fabs((double)want[i]));
    for (int i = 0; i < n; i++) {
        if (fabs((double)got[i] - (double)want[i]) <= 1e-4 * most || !isfinite(most) || isnan(want[i])) continue;
        snprintf(text, sizeof text, "%.8g at %d, eager %.8g", (double)got[i], i, (double)want[i]);
        return differ(r, id, what, text);
    }
    return true;
}

static void clear_all(fuzz_run *r)
{
    if (r->eval) tg_clear(r->eval);
    tg_clear(r->step);
    tg_clear(r->root);
}

static tg_scope *here(const fuzz_run *r) { return r->eval ? r->eval : r->step; }
static const char *trouble(const fuzz_run *r) { return tg_message(here(r)); }

/* A failure that R6 and R7 allow: a value was not kept, and its inputs have been overwritten. */
static bool is_allowed(const fuzz_run *r, bool overwritten)
{
    return overwritten && strstr(trouble(r), "was written after");
}

static bool compare_slot(fuzz_run *r, int id)
{
    const float *data = tg_data(r->slot[id]);
    if (data) return same_numbers(r, id, "", data, r->lesson->slot[id - LEAVES], r->lesson->count[id - LEAVES]);
    if (!is_allowed(r, fuzz_overwritten(&r->track, id))) return differ(r, id, "reading ", trouble(r));
    clear_all(r);
    return true;
}

static bool compare_leaf(fuzz_run *r, int leaf)
{
    const float *data = tg_data(r->model.leaf[leaf]);
    if (!data) return differ(r, leaf, "reading ", trouble(r));
    return same_numbers(r, leaf, "", data, r->lesson->leaf[r->now][leaf], (int)tg_count(r->model.leaf[leaf]));
}

static bool compare_grad(fuzz_run *r, int leaf)
{
    tg_tensor *g = tg_grad(r->model.leaf[leaf]);
    if (!g != !r->lesson->has_grad[r->now][leaf]) return differ(r, leaf, "gradient of ", g ? "has one" : "has none");
    const float *data = g ? tg_data(g) : NULL;
    if (g && !data) return differ(r, leaf, "gradient of ", trouble(r));
    return !g || same_numbers(r, leaf, "gradient of ", data, r->lesson->grad[r->now][leaf], (int)tg_count(g));
}

static bool compare_leaves(fuzz_run *r)
{
    for (int l = 0; l < LEAVES; l++)
        if (!compare_leaf(r, l) || !compare_grad(r, l)) return false;
    return true;
}

static bool compare_slots(fuzz_run *r)
{
    for (int id = LEAVES; id < IDS; id++)
        if (r->track.alive[id] && !compare_slot(r, id)) return false;
    return true;
}

static bool compare_read(fuzz_run *r, int id) { return id < LEAVES ? compare_leaf(r, id) : compare_slot(r, id); }

/* ---- teaching ---- */

static void note(float *to, tg_tensor *t, int most)
{
    const float *data = tg_data(t);
    int64_t n = tg_count(t);
    if (data) memcpy(to, data, sizeof *to * (size_t)(n < most ? n : most));
}

static void teach(fuzz_run *r)
{
    lesson *e = r->lesson;
    int id = LEAVES + r->now;
    if (r->track.alive[id]) {
        note(e->slot[r->now], r->slot[id], MOST);
        e->count[r->now] = (int)tg_count(r->slot[id]);
    }
    for (int l = 0; l < LEAVES; l++) {
        note(e->leaf[r->now][l], r->model.leaf[l], LEAF_MOST);
        tg_tensor *g = tg_grad(r->model.leaf[l]);
        e->has_grad[r->now][l] = g;
        if (g) note(e->grad[r->now][l], g, LEAF_MOST);
    }
}

/* ---- executing ---- */

static void reset(fuzz_run *r)
{
    tg_reset(r->step);
    if (!tg_ok(r->root)) return;
    for (int id = LEAVES; id < IDS; id++)
        if (!r->track.alive[id]) r->slot[id] = NULL;
}

static void edit(fuzz_run *r, const fuzz_step *step)
{
    tg_tensor *t = r->model.leaf[step->a];
    float *x = tg_edit(here(r), t);
    if (x) x[step->bits % tg_count(t)] += 0.25f;
}

static void end_eval(fuzz_run *r)
{
    tg_pop(r->eval);
    r->eval = NULL;
}

static tg_tensor *operand(const fuzz_run *r, int id)
{
    if (id < 0) return NULL;
    return id < LEAVES ? r->model.leaf[id] : r->slot[id];
}

static void do_step(fuzz_run *r, const fuzz_step *step)
{
    tg_tensor *a = operand(r, step->a), *b = operand(r, step->b), **to = r->slot + LEAVES + r->now;
    switch ((fuzz_kind)step->kind) {
    case CALL: *to = fuzz_ops[step->op].apply(&r->model, here(r), a, b, step->bits); break;
    case EDIT: edit(r, step); break;
    case BACKWARD: tg_backward(r->step, a); break;
    case UPDATE: tg_update(r->step, r->model.optim); break;
    case RESET: reset(r); break;
    case ENTER: tg_enter(here(r), "module"); break;
    case LEAVE: tg_leave(here(r), a); break;
    case EVAL: r->eval = tg_push(r->step); break;
    case EVAL_END: end_eval(r); break;
    case COPY: *to = tg_copy(r->root, a); break;
    case CLEAR_GRAD: tg_clear_grad(a); break;
    default: break;
    }
}

/* Additional reads: checks their results, and that they change nothing. */
static bool split(fuzz_run *r)
{
    tg_stream stream = { r->p->seed, 99 };
    uint32_t id = tg_random_below(stream, (uint64_t)r->now * 2, IDS);
    uint32_t how = tg_random_below(stream, (uint64_t)r->now * 2 + 1, 10);
    if (how < 4) return !r->track.alive[id] || compare_read(r, (int)id);
    if (how == 4) return compare_grad(r, (int)id % LEAVES);
    return how != 5 || compare_leaves(r);
}

static bool compare_after(fuzz_run *r, const fuzz_step *step)
{
    if (step->kind == READ) return compare_read(r, step->a);
    if (step->kind == READ_GRAD) return compare_grad(r, step->a);
    if ((step->kind == UPDATE || step->kind == RESET) && step->bits % 2) return compare_leaves(r);
    return !r->way->splits || split(r);
}

/* Half of the resets follow a read of everything still readable. */
static bool looks_before(const fuzz_run *r, const fuzz_step *step)
{
    return step->kind == RESET && step->bits & 4 && !r->teaches && !r->track.depth;
}

static bool step(fuzz_run *r)
{
    const fuzz_step *s = r->p->step + r->now;
    bool risky = s->kind == CALL || s->kind == COPY || s->kind == BACKWARD;
    bool overwritten = risky && (fuzz_overwritten(&r->track, s->a) || (s->b >= 0 && fuzz_overwritten(&r->track, s->b)));
    if (looks_before(r, s) && !compare_slots(r)) return false;
    bool done = fuzz_track_step(&r->track, r->p, r->now);
    if (done) do_step(r, s);
    if (done && !tg_ok(here(r))) {
        r->over = is_allowed(r, overwritten);
        if (r->teaches) r->lesson->n = r->now;
        return r->over ? true : differ(r, LEAVES + r->now, "making ", trouble(r));
    }
    if (r->teaches) teach(r);
    return r->teaches || !done || compare_after(r, s);
}

/* Compares everything still readable; then, after popping all scopes, the lasting state. */
static bool finish(fuzz_run *r)
{
    bool good = r->teaches || (compare_slots(r) && compare_leaves(r));
    while (r->track.depth) {
        if (r->track.nest[--r->track.depth] == EVAL) end_eval(r);
        else tg_leave(here(r), r->model.leaf[X0]);
    }
    tg_pop(r->step);
    r->step = r->root;
    if (!tg_ok(r->root)) return good && differ(r, X0, "after the last pop ", trouble(r));
    return good && (r->teaches || compare_leaves(r));
}

static bool see(void *context, const tg_call *c)
{
    fuzz_run *r = context;
    r->seen.again += c->again;
    r->seen.epilogues += c->epilogue != NULL;
    return true;
}

static bool run_way(fuzz_run *in, uint64_t data_seed)
{
    fuzz_run r = *in;
    const fuzz_way *way = r.way;
    const lesson *e = r.lesson;
    r.root = tg_open();
    tg_set_backends(way->backends);
    *tg_tree_options(r.root) = (tg_options){
        .fuse = way->fuse,
        .eager = way->eager,
        .recompute = r.recompute,
        .epilogues = !r.plainly,
        .observe = see,
        .context = &r,
    };
    fuzz_open_model(&r.model, r.root, r.p->seed, data_seed);
    fuzz_track_start(&r.track);
    r.step = tg_train(r.root);
    bool good = tg_ok(r.root) || differ(&r, X0, "model ", trouble(&r));
    for (; r.now < e->n && good && !r.over; r.now++) good = step(&r);
    r.now = e->n - 1;
    if (good && !r.over && e->n) good = finish(&r);
    tg_close(r.root);
    tg_set_backends(NULL);
    in->bits = r.bits;
    in->seen = r.seen;
    return good;
}

static bool run_twice(fuzz_run once, uint64_t data_seed)
{
    if (!run_way(&once, data_seed)) return false;
    if (once.way->eager) return true;
    fuzz_run twice = once;
    twice.bits = twice.seen.again = 0;
    twice.recompute = TG_RECOMPUTE_ALL;
    twice.plainly = true;
    bool good = run_way(&twice, data_seed) && (twice.bits == once.bits || differ(&twice, X0, "", "other bits"));
    fuzz_made_twice += twice.seen.again - once.seen.again;
    fuzz_epilogues += once.seen.epilogues;
    return good;
}

bool fuzz_check(const fuzz_program *p, uint64_t data_seed, char why[FUZZ_TEXT])
{
    static lesson e;
    e.n = p->n;
    for (int w = 0; w < WAYS; w++) {
        fuzz_run r = { .p = p, .way = ways + w, .lesson = &e, .teaches = !w, .why = why };
        if (!run_twice(r, data_seed)) return false;
    }
    return true;
}
