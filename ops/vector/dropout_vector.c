/* dropout_vector.c - dropout; four elements share one block of random bits. */
#include "attr.h"
#include "elementwise.h"

TG_INLINE void drop(const tg_dropout_attr *a, int64_t first, tg_span s, bool half)
{
    const float scale = (float)(1 / (1 - (double)a->p));
    for (int64_t i = 0; i < s.n; i += 4) {
        uint32_t bits[4];
        tg_random_bits(a->stream, (uint64_t)(first + i) / 4, bits);
        for (int64_t j = 0; j < 4 && i + j < s.n; j++) {
            const bool kept = (float)(bits[j] >> 8) * 0x1p-24f >= a->p;
            tg_store(s.y, half, i + j, kept ? tg_load(s.a, half, i + j) * scale : 0);
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
