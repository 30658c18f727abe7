/* beside.h - a computation whose result is one number, and a thread that repeats it beside a test. */
#ifndef TG_TESTS_BESIDE_H
#define TG_TESTS_BESIDE_H

/* Two steps of LeNet and a product: convolutions, linear layers, updates, in several runs; NAN if they fail. */
double compute(void);
/* Another thread computes from here on ... */
void beside_begin(void);
/* ... to here; returns how many of its results were not its first. */
int beside_end(void);
#endif
