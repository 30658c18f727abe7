/* random.c - counter-based random numbers (Philox 4x32).  See random.h. */
#include "random.h"
#include "core.h"
#include <Random123/philox.h>
#include <math.h>

tg_stream tg_draw_stream(tg_scope *s)
{
    if (!tg_ok(s)) return (tg_stream){ 0 };
    return (tg_stream){ s->program->seed, s->program->random_counter++ };
}

void tg_random_bits(tg_stream stream, uint64_t block, uint32_t out[4])
{
    if (!out) return;
    philox4x32_ctr_t counter = { { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream.counter,
                                   (uint32_t)(stream.counter >> 32) } };
    philox4x32_key_t key = { { (uint32_t)stream.seed, (uint32_t)(stream.seed >> 32) } };
    philox4x32_ctr_t r = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

uint32_t tg_random_u32(tg_stream stream, uint64_t i)
{
    uint32_t bits[4];
    tg_random_bits(stream, i / 4, bits);
    return bits[i % 4];
}

float tg_random_uniform(tg_stream stream, uint64_t i) { return (float)(tg_random_u32(stream, i) >> 8) * 0x1p-24f; }

/* Box and Muller (1958): values 2i and 2i + 1 of the stream yield the i-th normal value. */
double tg_random_normal(tg_stream stream, uint64_t i)
{
    uint32_t bits[4];
    tg_random_bits(stream, i / 2, bits);
    double u = ((double)bits[i % 2 * 2] + 0.5) * 0x1p-32, v = (double)bits[i % 2 * 2 + 1] * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t tg_random_below(tg_stream stream, uint64_t i, uint32_t n)
{
    uint32_t bits[4];
    tg_random_bits(stream, i / 2, bits);
    uint64_t r = (uint64_t)bits[i % 2 * 2] << 32 | bits[i % 2 * 2 + 1];
    return (uint32_t)((__extension__(unsigned __int128) r * n) >> 64);
}
