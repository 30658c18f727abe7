/* weights.h - the FP32 values of a weight, a piece at a time, whether it is f32 or split (master.h). */
#ifndef TG_WEIGHTS_H
#define TG_WEIGHTS_H
#include "master.h"
#include "update.h"
#include "vector.h"
#include <string.h>

enum { TG_PIECE = 1024 };               /* elements: w and three operands lie in the first cache */

/* Elements i .. i + n - 1, to be changed; of a split weight in `room`. */
static inline float *tg_open_weights(const tg_tensor *w, int64_t i, int64_t n, float room[TG_PIECE])
{
    if (!tg_is_split(w)) return (float *)tg_ptr(w) + i;
    const uint16_t *hi = (const uint16_t *)tg_ptr(w) + i;
    const int16_t  *lo = tg_lo(w) + i;
    uint32_t        bits[TG_PIECE];
#pragma omp simd
    for (int64_t k = 0; k < n; k++) bits[k] = tg_join_bits(hi[k], lo[k]);
    memcpy(room, bits, sizeof *room * (size_t)n);
    return room;
}

/* They have been changed. */
static inline void tg_close_weights(const tg_tensor *w, int64_t i, int64_t n, const float room[TG_PIECE])
{
    if (!tg_is_split(w)) return;
    uint16_t *restrict hi = (uint16_t *)tg_ptr(w) + i;
    int16_t *restrict  lo = tg_lo(w) + i;
    uint32_t           bits[TG_PIECE];
    memcpy(bits, room, sizeof *room * (size_t)n);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        hi[k] = tg_split_hi(bits[k]);
        lo[k] = tg_split_lo(bits[k]);
    }
}

/* The f32 tensor in[k] from element i on; NULL: it is not given. */
static inline float *tg_update_operand(const tg_call *c, int k, int64_t i)
{
    return c->in[k] ? (float *)tg_ptr(c->in[k]) + i : NULL;
}

static inline float tg_update_factor(const tg_call *c, int k) { return c->in[k] ? *(const float *)tg_ptr(c->in[k]) : 1; }

/* One task of an update: the pieces of its rows, then what kernels pack of them.  step changes w[0..n), from element i. */
static inline __attribute__((always_inline))
void tg_update_pieces(const tg_call *c, const tg_task *task, const void *terms,
                      void (*step)(const tg_call *c, const void *terms, float *w, int64_t i, int64_t n))
{
    const tg_update_rows r = tg_update_rows_of(c, task);
    float                room[TG_PIECE];
    for (int64_t i = r.begin; i < r.end; i += TG_PIECE) {
        const int64_t n = i + TG_PIECE < r.end ? TG_PIECE : r.end - i;
        float *const  w = tg_open_weights(c->in[0], i, n, room);
        step(c, terms, w, i, n);
        tg_close_weights(c->in[0], i, n, room);
    }
    tg_repack(c->in[0], r.r0, r.r1);
}
#endif
