/* median.c - see median.h. */
#include "median.h"
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_numbers(double *values, int n) { qsort(values, (size_t)n, sizeof *values, ascending); }
double median(const double *sorted, int n) { return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]); }
