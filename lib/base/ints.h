/* ints.h - minimum, maximum and rounding of sizes and counts. */
#ifndef TG_INTS_H
#define TG_INTS_H
#include <stdint.h>

static inline int64_t imin(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t imax(int64_t a, int64_t b) { return a > b ? a : b; }

/* For a >= 0 and b > 0. */
static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
#endif
