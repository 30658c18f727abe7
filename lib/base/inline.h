/* inline.h - TG_INLINE: a function that must be inlined, because its constant arguments unroll its loops. */
#ifndef TG_INLINE_H
#define TG_INLINE_H
#define TG_INLINE static inline __attribute__((always_inline))
#endif
