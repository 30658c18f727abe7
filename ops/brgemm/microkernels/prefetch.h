/* prefetch.h - how microkernels in vectors spread the prefetch of a product over its steps. */
#ifndef TG_PREFETCH_H
#define TG_PREFETCH_H
#include "microkernel.h"
#include <immintrin.h>

/* Forces v to be computed here and not earlier: with as many sums as there are registers, an early v would spill one.
 */
#define HERE(v) __asm__ volatile("" : "+v"(v))

/* What is left to prefetch: some cache lines at each step. */
typedef struct {
    const char *at, *end, *piece;
    int64_t lines, bytes, stride, more;
} prefetcher;

TG_INLINE prefetcher prefetch_in(const tg_prefetch *p, int64_t steps)
{
    const int64_t pieces = p->pieces > 1 ? p->pieces : 1, lines = pieces * ((p->bytes + 63) / 64);
    return (
        prefetcher){ p->at,     p->at + p->bytes,         p->at, (lines + steps - 1) / (steps ? steps : 1), p->bytes,
                     p->stride, p->bytes ? pieces - 1 : 0 };
}

TG_INLINE void prefetch_some(prefetcher *f)
{
    for (int64_t i = 0; i < f->lines; i++, f->at += 64) {
        if (f->at >= f->end) {
            if (!f->more) return;
            f->more--;
            f->at = f->piece += f->stride;
            f->end = f->at + f->bytes;
        }
        _mm_prefetch(f->at, _MM_HINT_T1);
    }
}
#endif
