/* dropout_vector.c - dropout. Philox's rounds (lib/record/random.c) are unrolled so that many blocks of four values run
 * side by side; the values are those of tg_random_bits.
 *
 * Each 32-bit word of state has 64 bits in a vector: products are that wide, their upper halves are never read, and
 * nothing moves from lane to lane. C cannot express such a product, hence the folder's one intrinsic. */
#include "attr.h"
#include "elementwise.h"
#include <math.h>
#include <string.h>
#if defined __AVX2__
#include <immintrin.h>
#endif

#if defined __AVX512F__
enum { LANES = 8 };
#define SHUFFLE_LOW(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define PRODUCT(a, b)      (words) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#elif defined __AVX2__
enum { LANES = 4 };
#define SHUFFLE_LOW(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define PRODUCT(a, b)      (words) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#else
enum { LANES = 2 };
#define SHUFFLE_LOW(a, b)  __builtin_shufflevector(a, b, 0, 2)
#define SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#define PRODUCT(a, b)      (((a)&0xffffffffu) * ((b)&0xffffffffu))
#endif
enum { BLOCKS = 64 }; /* at a time */
typedef uint64_t words __attribute__((vector_size(8 * LANES)));

/* The values of LANES blocks, numbered `low` (lower half) and `high`. */
static void draw_lanes(tg_stream stream, const uint64_t *low, const uint64_t *high, uint32_t *bits)
{
    words x0, x1, x2 = (words){ 0 } + stream.counter, x3 = x2 >> 32;
    memcpy(&x0, low, sizeof x0);
    memcpy(&x1, high, sizeof x1);
    uint32_t key0 = (uint32_t)stream.seed, key1 = (uint32_t)(stream.seed >> 32);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
        const words p = PRODUCT(x0, (words){ 0 } + 0xD2511F53u), q = PRODUCT(x2, (words){ 0 } + 0xCD9E8D57u);
        x0 = (q >> 32) ^ x1 ^ key0;
        x1 = q;
        x2 = (p >> 32) ^ x3 ^ key1;
        x3 = p;
    }
    x0 = (x0 & 0xffffffffu) | x1 << 32;
    x2 = (x2 & 0xffffffffu) | x3 << 32;
    x1 = SHUFFLE_LOW(x0, x2);
    x3 = SHUFFLE_HIGH(x0, x2);
    memcpy(bits, &x1, sizeof x1);
    memcpy(bits + 2 * LANES, &x3, sizeof x3);
}

/* The 4 * BLOCKS values from block `first` on. */
static void draw_bits(tg_stream stream, uint64_t first, uint32_t bits[4 * BLOCKS])
{
    uint64_t low[BLOCKS], high[BLOCKS];
    for (int j = 0; j < BLOCKS; j++) low[j] = first + (uint64_t)j, high[j] = low[j] >> 32;
    for (int j = 0; j < BLOCKS; j += LANES) draw_lanes(stream, low + j, high + j, bits + 4 * j);
}

/* uniform(i) >= p, as tg_random_uniform defines it, is a comparison of 24-bit integers. */
TG_INLINE void dropout_block(const tg_dropout_attr *a, int64_t first, tg_span s, bool is_bf16)
{
    const float scale = (float)(1 / (1 - (double)a->p));
    const int32_t least = (int32_t)ceil((double)a->p * 0x1p24);
    uint32_t bits[4 * BLOCKS];
    for (int64_t i = 0; i < s.n; i += 4 * BLOCKS) {
        const int64_t n = s.n - i < 4 * BLOCKS ? s.n - i : 4 * BLOCKS;
        draw_bits(a->stream, (uint64_t)(first + i) / 4, bits);
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            const float v = tg_load(s.a, is_bf16, i + j) * scale;
            tg_store(s.y, is_bf16, i + j, (int32_t)(bits[j] >> 8) >= least ? v : 0.0f);
        }
    }
}

static void dropout_run(const tg_call *c, const tg_task *t)
{
    const tg_span s = tg_span_of(c, t);
    if (s.is_bf16) dropout_block(c->attr, t->index * TG_VECTOR_BLOCK, s, true);
    else dropout_block(c->attr, t->index * TG_VECTOR_BLOCK, s, false);
}

TG_VECTOR_KERNEL(dropout_vector) = { TG_ELEMENTWISE_HEAD, .run = dropout_run, .in_place = true };
