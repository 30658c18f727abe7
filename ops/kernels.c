/* kernels.c - see kernels.h. */
#include "kernels.h"

static const char *not_built(const tg_call *c) { return (void)c, "not in this build"; }
const tg_kernel tg_onednn_not_built = { .name = "onednn", .backend = "onednn", .reject = not_built };
const tg_kernel tg_openblas_not_built = { .name = "openblas", .backend = "openblas", .reject = not_built };
