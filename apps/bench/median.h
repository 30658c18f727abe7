/* median.h - statistics of repeated measurements. */
#ifndef TG_APPS_MEDIAN_H
#define TG_APPS_MEDIAN_H

void sort_numbers(double *values, int n); /* ascending */
double median(const double *sorted, int n);
#endif
