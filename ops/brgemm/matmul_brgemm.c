/* matmul_brgemm.c - matmul over microkernels, where one b is multiplied by all rows of a: a linear layer, or its
 * derivative. */
#include "brgemm.h"

/* b[k, n] lies as the weights do of a linear layer whose derivative this is, b[n, k] as those of a linear layer. */
static tg_nest nest_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_matmul_config *t = c->attr;
    const tg_tensor *a = c->in[0];
    const int64_t rows = tg_count(a) / a->dim[a->rank - 1];
    return tg_rows_nest(mk, a, c->in[1], c->out[0], rows, !t->transpose_b);
}

static const char *reject(const tg_call *c, const tg_microkernel *mk)
{
    const tg_matmul_config *t = c->attr;
    if (t->transpose_a) return "a is transposed";
    if (c->in[1]->rank > 2) return "more than one b";
    return tg_brgemm_dtypes(mk, c->in[0], c->in[1], c->out[0]);
}

#define KERNELS(suffix, isa) TG_NEST_KERNEL(matmul_brgemm, suffix, isa, "brgemm_", nest_of, reject)
TG_MICROKERNELS(KERNELS)
