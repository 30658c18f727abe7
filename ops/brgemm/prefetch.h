/* prefetch.h - what the microkernels with vectors share: memory that a product fetches for what follows it. */
#ifndef TG_PREFETCH_H
#define TG_PREFETCH_H
#include "microkernel.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* v is made here, not before: of sums as many as registers hold, some would have to make room for it in memory. */
#define HERE(v) __asm__ volatile("" : "+v"(v))

/* Memory that will be read soon: some lines of it at each step. */
typedef struct {
    const char *at, *end, *piece;
    int64_t lines, bytes, apart, more;
} prefetch;

INLINE prefetch prefetch_in(const tg_brgemm *p, int64_t steps)
{
    const int64_t pieces = p->ahead_pieces > 1 ? p->ahead_pieces : 1, lines = pieces * ((p->ahead_bytes + 63) / 64);
    return (prefetch){ p->ahead,
                       p->ahead + p->ahead_bytes,
                       p->ahead,
                       (lines + steps - 1) / (steps ? steps : 1),
                       p->ahead_bytes,
                       p->ahead_apart,
                       p->ahead_bytes ? pieces - 1 : 0 };
}

INLINE void prefetch_some(prefetch *f)
{
    for (int64_t i = 0; i < f->lines; i++, f->at += 64) {
        if (f->at >= f->end) {
            if (!f->more) return;
            f->more--;
            f->at = f->piece += f->apart;
            f->end = f->at + f->bytes;
        }
        _mm_prefetch(f->at, _MM_HINT_T1);
    }
}
#endif
