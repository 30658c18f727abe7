/* vector.h - plain loops that the compiler vectorises. Each file here is compiled for AVX-512, AVX2 and the baseline.
 *
 * TG_VECTOR_SUFFIX and TG_VECTOR_ISA come from the build. Results may differ by rounding between instruction sets
 * (fused multiply-add), never between numbers of threads. */
#ifndef TG_VECTOR_H
#define TG_VECTOR_H
#include "op.h"
#include <string.h>

#define TG_JOIN_(a, b) a##_##b
#define TG_JOIN(a, b)  TG_JOIN_(a, b)
#define TG_TEXT_(a)    #a
#define TG_TEXT(a)     TG_TEXT_(a)
#define TG_VECTOR_KERNEL(symbol) \
    extern const tg_kernel TG_JOIN(symbol, TG_VECTOR_SUFFIX); \
    const tg_kernel TG_JOIN(symbol, TG_VECTOR_SUFFIX)
/* Named vector_avx512, vector_avx2, vector_generic. */
#define TG_VECTOR_HEAD .name = "vector_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA

/* Elements per task of an element-wise kernel: a multiple of any vector, small enough to balance. */
enum { TG_VECTOR_BLOCK = 16384 };
static inline int64_t tg_blocks(int64_t n) { return (n + TG_VECTOR_BLOCK - 1) / TG_VECTOR_BLOCK; }
static inline int64_t tg_block_end(int64_t block, int64_t n)
{
    int64_t end = (block + 1) * TG_VECTOR_BLOCK;
    return end < n ? end : n;
}

/* Rows of a tensor are often a few cache lines, for which a call to memcpy takes as long as the copy. */
static inline void tg_copy_row(char *restrict to, const char *restrict from, size_t bytes)
{
    if (bytes > 1024 || bytes % 64) {
        memcpy(to, from, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += 64) memcpy(to + i, from + i, 64);
}
#endif
