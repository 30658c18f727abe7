/* widen.c - bf16 for kernels that only support f32: a call that only ref would run in bf16, but a faster kernel runs in
 * f32, runs in f32 between casts.
 *
 * The f32 tensors are private to the run, and each frees its memory after its last use. */
#include "steps.h"
#include "core_ops.h"
#include "dispatch.h"

static const tg_cast_attr to_f32 = { TG_F32 }, to_bf16 = { TG_BF16 };

static bool is_bf16(const tg_tensor *t) { return t && t->dtype == TG_BF16; }

/* How many of its tensors are bf16; 0 for calls that stay as they are: casts, and writes to bf16 tensors. */
static int bf16_tensors(const tg_call *c)
{
    int n = 0;
    if (c->op == &tg_cast_op) return 0;
    TG_EACH_IN(c, k)
        if (tg_writes(c, k) && is_bf16(c->in[k])) return 0;
    TG_EACH_IN(c, k) n += is_bf16(c->in[k]);
    TG_EACH_OUT(c, k) n += is_bf16(c->out[k]);
    return n;
}

/* Keeps the choice of kernel for the run.  If there is none, the run reports why. */
static bool left_to_ref(tg_call *c)
{
    const tg_kernel *const *last = c->op->kernels;
    c->kernel = tg_choose(c);
    while (last && last[0] && last[1]) last++;
    return !last || (c->kernel && c->kernel == *last);
}

static tg_tensor as_f32(const tg_tensor *t)
{
    tg_tensor wide = { .dtype = TG_F32, .rank = t->rank, .storage = t->storage };
    for (int i = 0; i < t->rank; i++) wide.dim[i] = t->dim[i];
    return wide;
}

/* Kernels reject by shapes and dtypes, so the twin needs no memory. */
static bool better_in_f32(tg_call *c)
{
    tg_tensor in[TG_MAX_IN], out[TG_MAX_OUT];
    if (!left_to_ref(c)) return false;
    tg_call twin = *c;
    TG_EACH_IN(c, k)
        if (is_bf16(c->in[k])) in[k] = as_f32(c->in[k]), twin.in[k] = in + k;
    TG_EACH_OUT(c, k)
        if (is_bf16(c->out[k])) out[k] = as_f32(c->out[k]), twin.out[k] = out + k;
    return !left_to_ref(&twin);
}

/* ---- a call becomes several ---- */

static tg_tensor *wide_tensor(tg_list *l, const tg_tensor *t)
{
    tg_tensor *wide = tg_run_take(l, sizeof *wide);
    tg_storage *storage = tg_run_storage(l, (size_t)tg_count(t) * sizeof(float));
    if (!wide || !storage) return NULL;
    *wide = as_f32(t);
    wide->storage = storage;
    return wide;
}

static bool add_cast(tg_list *l, const tg_call *of, tg_tensor *from, uint32_t version, tg_tensor *to)
{
    tg_call *c = tg_run_take(l, sizeof *c);
    if (!c) return false;
    *c = (tg_call){
        .op = &tg_cast_op,
        .in = { from },
        .in_version = { version },
        .out = { to },
        .scope = of->scope,
        .where = of->where,
        .attr = to->dtype == TG_F32 ? &to_f32 : &to_bf16,
        .again = of->again,
    };
    l->at[l->n++] = c;
    return true;
}

/* The f32 tensor for in[k]; the same tensor may have been cast for an earlier input. */
static tg_tensor *wide_input(tg_list *l, const tg_call *c, const tg_call *twin, int k)
{
    for (int j = 0; j < k; j++)
        if (c->in[j] == c->in[k]) return twin->in[j];
    tg_tensor *wide = wide_tensor(l, c->in[k]);
    return wide && add_cast(l, c, c->in[k], c->in_version[k], wide) ? wide : NULL;
}

static bool add_widened(tg_list *l, const tg_call *c)
{
    tg_call *twin = tg_run_take(l, sizeof *twin);
    if (!twin) return false;
    *twin = *c;
    twin->kernel = NULL;
    TG_EACH_IN(c, k)
        if (is_bf16(c->in[k])) {
            twin->in[k] = wide_input(l, c, twin, k);
            twin->in_version[k] = 0;
            if (!twin->in[k]) return false;
        }
    l->at[l->n++] = twin;
    TG_EACH_OUT(c, k)
        if (is_bf16(c->out[k])) {
            twin->out[k] = wide_tensor(l, c->out[k]);
            if (!twin->out[k] || !add_cast(l, c, twin->out[k], 0, c->out[k])) return false;
        }
    return true;
}

bool tg_widen_calls(tg_list *l)
{
    tg_call **before = l->at;
    const int n = l->n;
    size_t more = 0;
    for (int i = 0; i < n; i++) more += (size_t)bf16_tensors(before[i]);
    if (!more) return true;
    l->at = tg_run_take(l, sizeof *l->at * ((size_t)n + more));
    if (!l->at) return false;
    l->n = 0;
    for (int i = 0; i < n; i++) {
        if (!bf16_tensors(before[i]) || !better_in_f32(before[i])) l->at[l->n++] = before[i];
        else if (!add_widened(l, before[i])) return false;
    }
    return true;
}
