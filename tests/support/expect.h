/* expect.h - shared by the tests of the core: expected values and messages, a small network, a hash of its state. */
#ifndef TG_EXPECT_H
#define TG_EXPECT_H
#include <tilegrad/tilegrad.h>

/* Fail the cmocka test with the actual and the expected value; return only on success. */
void expect_ok(const tg_scope *s);
void expect_message(const tg_scope *s, const char *message); /* exactly this */
void expect_number(tg_tensor *t, double want);               /* one element, to 1e-5 */
void expect_numbers(tg_tensor *t, int n, const double *want);
#define NUMBERS(...) \
    (int)(sizeof((double[]){ __VA_ARGS__ }) / sizeof(double)), (double[]) { __VA_ARGS__ }

tg_tensor *vector(tg_scope *s, int n, const double *values); /* an f32 leaf [n] */
tg_tensor *weight(tg_scope *s, int n, const double *values); /* the same, with a gradient */

/* A small CNN with every kind of state: batch norm, dropout, max pool, SGD with momentum.  [n,8,8,2], 3 classes. */
typedef struct {
    tg_module *net;
    tg_optim *optim;
    tg_tensor *x, *y; /* a batch of 4, in the root */
} toy;
bool toy_open(toy *t, tg_scope *root);
double toy_step(toy *t, tg_scope *step); /* forward, backward, update; returns the loss, NaN after a failure */
/* A hash of parameters, buffers and optimizer states, byte for byte. */
uint64_t lasting_bytes(tg_module *net, const tg_optim *optim);
#endif
