/* ckpt_round.h - rounds to a float dtype, once, to nearest with ties to even, and measures the errors. */
#ifndef TG_APPS_CKPT_ROUND_H
#define TG_APPS_CKPT_ROUND_H
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *dtype; /* "F32", "BF16", "F16", "F64" */
    int size;          /* bytes */
    int fraction;      /* bits */
    int least, most;   /* exponents of normal numbers */
} round_format;

const round_format *round_find(const char *dtype); /* NULL: not one of these */

typedef struct {
    int64_t inexact, overflows, zeros; /* values that changed, that became infinite, that became 0 */
    double absolute, relative;         /* the largest errors of values that remained finite */
} round_errors;

/* Rounds n values into `to` and adds the errors to e (may be NULL).  A NaN keeps the upper bits of its payload. */
void round_numbers(const round_format *f, const double *from, int64_t n, void *to, round_errors *e);
void round_add(round_errors *sum, const round_errors *more);
#endif
