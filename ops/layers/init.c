/* init.c - initial values of weights. */
#include "layer.h"
#include <math.h>

bool tg_layer_wants(tg_scope *s, const char *kind, const char *field, int got, int least)
{
    if (tg_ok(s) && got < least) tg_fail(s, "%s: %s %d, want at least %d", kind, field, got, least);
    return tg_ok(s);
}

tg_tensor *tg_init_uniform(tg_scope *s, double fan_in, int rank, const int64_t *dim)
{
    double bound = 1 / sqrt(fan_in);
    return tg_rand(s, -bound, bound, rank, dim);
}
