/* beside.h - a computation whose result is one number, and a thread that repeats it concurrently with a test. */
#ifndef TG_TESTS_BESIDE_H
#define TG_TESTS_BESIDE_H

/* Two steps of LeNet and a product: convolutions, linear layers, updates, in several runs; NAN if they fail. */
double compute(void);
/* Starts a thread that computes repeatedly. */
void beside_begin(void);
/* Ends it; returns how many of its results differed from its first. */
int beside_end(void);
#endif
