/* prefetch.h - what the microkernels with vectors share: memory that a product fetches for what follows it. */
#ifndef TG_PREFETCH_H
#define TG_PREFETCH_H
#include "microkernel.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* v is made here, not before: of sums as many as registers hold, some would have to make room for it in memory. */
#define HERE(v) __asm__ volatile("" : "+v"(v))

/* Memory that will be read soon: some lines of it at each step. */
typedef struct { const char *at, *end; int64_t step; } prefetch;

INLINE prefetch prefetch_in(const tg_brgemm *p, int64_t steps)
{
    return (prefetch){ p->ahead, p->ahead + p->ahead_bytes, (p->ahead_bytes / (steps ? steps : 1) + 63) / 64 * 64 };
}

INLINE void prefetch_some(prefetch *f)
{
    const char *const end = f->end - f->at > f->step ? f->at + f->step : f->end;
    for (; f->at < end; f->at += 64) _mm_prefetch(f->at, _MM_HINT_T1);
}
#endif
