/* random.h - counter-based random numbers: Philox 4x32-10 (Salmon et al., SC 2011), from Random123.
 *
 * Element i of a stream is a pure function of seed, counter and i: it can be drawn in any order, by any thread. */
#ifndef TG_RANDOM_H
#define TG_RANDOM_H
#include <stdint.h>
#include "scope.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t seed, counter;
} tg_stream;                           /* plain data, as attributes have to be */
tg_stream tg_draw_stream(tg_scope *s); /* the next stream of the tree of s */

void tg_random_bits(tg_stream stream, uint64_t block, uint32_t out[4]); /* elements 4 block to 4 block + 3 */
uint32_t tg_random_u32(tg_stream stream, uint64_t i);
float tg_random_uniform(tg_stream stream, uint64_t i);              /* in [0, 1), a multiple of 2^-24 */
double tg_random_normal(tg_stream stream, uint64_t i);              /* mean 0, standard deviation 1 (Box-Muller) */
uint32_t tg_random_below(tg_stream stream, uint64_t i, uint32_t n); /* in [0, n), n > 0; bias < n/2^64 */

#ifdef __cplusplus
}
#endif
#endif
