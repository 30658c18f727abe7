/* dropout_vector.c - dropout; four elements share one block of random bits. */
#include "attr.h"
#include "elementwise.h"

static void run(const tg_call *c, const tg_task *t)
{
    const tg_dropout_attr *const a = c->attr;
    const float *const x = tg_ptr(c->in[0]), scale = (float)(1 / (1 - (double)a->p));
    float *const y = tg_ptr(c->out[0]);
    const int64_t end = tg_block_end(t->index, tg_count(c->in[0]));
    for (int64_t i = t->index * TG_VECTOR_BLOCK; i < end; i += 4) {
        uint32_t bits[4];
        tg_random_bits(a->stream, (uint64_t)i / 4, bits);
        for (int64_t j = 0; j < 4 && i + j < end; j++)
            y[i + j] = (float)(bits[j] >> 8) * 0x1p-24f >= a->p ? x[i + j] * scale : 0;
    }
}

TG_VECTOR_KERNEL(dropout_vector) = { TG_ELEMENTWISE_HEAD, .run = run, .in_place = true };
