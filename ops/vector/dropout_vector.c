/* dropout_vector.c - dropout.  Philox's rounds (lib/random.c) are written out, so that many blocks of four numbers run
 * side by side; the numbers are those of tg_random_bits. */
#include "attr.h"
#include "elementwise.h"
#include <math.h>

enum { BLOCKS = 64 };                   /* at a time */

typedef struct { uint32_t x0, x1, x2, x3; } state;

TG_INLINE state round_of(state s, uint32_t k0, uint32_t k1)
{
    const uint64_t p = (uint64_t)0xD2511F53u * s.x0, q = (uint64_t)0xCD9E8D57u * s.x2;
    return (state){ (uint32_t)(q >> 32) ^ s.x1 ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ s.x3 ^ k1, (uint32_t)p };
}

/* The 4 * BLOCKS numbers from block `first` on.  A loop over the rounds would not vectorise. */
static void draw(tg_stream stream, uint64_t first, uint32_t bits[4 * BLOCKS])
{
    const uint32_t key0 = (uint32_t)stream.seed, key1 = (uint32_t)(stream.seed >> 32);
    const uint32_t low = (uint32_t)first, high = (uint32_t)(first >> 32);
    const uint32_t c = (uint32_t)stream.counter, d = (uint32_t)(stream.counter >> 32);
#pragma omp simd
    for (int j = 0; j < BLOCKS; j++) {
        const uint32_t block = low + (uint32_t)j;
        state          s = { block, high + (block < low), c, d };
#define ROUND(i) s = round_of(s, key0 + i * 0x9E3779B9u, key1 + i * 0xBB67AE85u)
        ROUND(0), ROUND(1), ROUND(2), ROUND(3), ROUND(4), ROUND(5), ROUND(6), ROUND(7), ROUND(8), ROUND(9);
#undef ROUND
        bits[4 * j] = s.x0;
        bits[4 * j + 1] = s.x1;
        bits[4 * j + 2] = s.x2;
        bits[4 * j + 3] = s.x3;
    }
}

/* uniform(i) >= p, as tg_random_uniform has it, is a comparison of 24-bit numbers. */
TG_INLINE void drop(const tg_dropout_attr *a, int64_t first, tg_span s, bool half)
{
    const float   scale = (float)(1 / (1 - (double)a->p));
    const int32_t least = (int32_t)ceil((double)a->p * 0x1p24);
    uint32_t      bits[4 * BLOCKS];
    for (int64_t i = 0; i < s.n; i += 4 * BLOCKS) {
        const int64_t n = s.n - i < 4 * BLOCKS ? s.n - i : 4 * BLOCKS;
        draw(a->stream, (uint64_t)(first + i) / 4, bits);
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            const float v = tg_load(s.a, half, i + j) * scale;
            tg_store(s.y, half, i + j, (int32_t)(bits[j] >> 8) >= least ? v : 0.0f);
        }
    }
}

static void run(const tg_call *c, const tg_task *t)
{
    const tg_span s = tg_span_of(c, t);
    if (s.half) drop(c->attr, t->index * TG_VECTOR_BLOCK, s, true);
    else drop(c->attr, t->index * TG_VECTOR_BLOCK, s, false);
}

TG_VECTOR_KERNEL(dropout_vector) = { TG_ELEMENTWISE_HEAD, .run = run, .in_place = true };
