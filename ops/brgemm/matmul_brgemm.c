/* matmul_brgemm.c - matmul over microkernels, if all rows of a are multiplied by one b: a linear layer, or its
 * derivative.  brgemm_amx_bf16 to brgemm_generic. */
#include "brgemm.h"

/* b[n, k] lies as the weights of a linear layer do, and b[k, n] as those of a linear layer whose derivative this is. */
static tg_nest_shape matmul_shape(const tg_call *c, const tg_microkernel *mk)
{
    const tg_matmul_config *t = c->attr;
    const tg_tensor *a = c->in[0];
    const int64_t rows = tg_count(a) / a->dim[a->rank - 1];
    return tg_rows_shape(mk, a, c->in[1], c->out[0], rows, !t->transpose_b);
}

static tg_nest_data matmul_data(const tg_call *c)
{
    return (tg_nest_data){ tg_ptr(c->in[0]), tg_ptr(c->in[1]), NULL, tg_ptr(c->out[0]) };
}

static const char *matmul_reject(const tg_call *c, const tg_microkernel *mk)
{
    const tg_matmul_config *t = c->attr;
    if (t->transpose_a) return "a is transposed";
    if (c->in[1]->rank > 2) return "more than one b";
    return tg_brgemm_dtypes(mk, c->in[0], c->in[1], c->out[0]);
}

#define KERNELS(suffix, isa, name) \
    TG_FORWARD_KERNEL(matmul_brgemm, suffix, isa, name, matmul_shape, matmul_data, matmul_reject)
TG_MICROKERNELS(KERNELS)
