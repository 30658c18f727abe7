/* weights.h - the FP32 values of a weight in an update loop, whether it is f32 or split (master.h). */
#ifndef TG_WEIGHTS_H
#define TG_WEIGHTS_H
#include "bf16.h"
#include "master.h"
#include "update.h"
#include "vector.h"

/* An update loop is compiled twice, with `split` constant: a split weight is joined and split again in registers. */
typedef struct {
    float *f32;
    uint16_t *hi;
    int16_t *lo;
} tg_weights;

/* From element i on. */
static inline tg_weights tg_weights_from(const tg_tensor *w, int64_t i)
{
    if (tg_is_split(w)) return (tg_weights){ .hi = (uint16_t *)tg_ptr(w) + i, .lo = tg_lo(w) + i };
    return (tg_weights){ .f32 = (float *)tg_ptr(w) + i };
}

TG_INLINE float tg_load_weight(tg_weights w, bool split, int64_t i)
{
    return split ? tg_value_of(tg_join_bits(w.hi[i], w.lo[i])) : w.f32[i];
}

TG_INLINE void tg_store_weight(tg_weights w, bool split, int64_t i, float value)
{
    if (!split) {
        w.f32[i] = value;
        return;
    }
    w.hi[i] = tg_split_hi(tg_value_bits(value));
    w.lo[i] = tg_split_lo(tg_value_bits(value));
}

/* The f32 tensor in[k] from element i on; NULL if it is absent. */
static inline float *tg_update_operand(const tg_call *c, int k, int64_t i)
{
    return c->in[k] ? (float *)tg_ptr(c->in[k]) + i : NULL;
}

static inline float tg_update_factor(const tg_call *c, int k)
{
    return c->in[k] ? *(const float *)tg_ptr(c->in[k]) : 1;
}
#endif
