/* activation.c - the operators that elementwise.def defines by formulas, with their derivatives. See ops.h.
 *
 * gelu(x) = x Phi(x), Phi the standard normal CDF; silu(x) = x sigmoid(x); hardswish(x) = x min(max(x + 3, 0), 6) / 6.
 */
#include "check.h"
#include "kernels.h"

#define SAVES_x    .saves_in = TG_BIT(0)
#define SAVES_y    .saves_out = TG_BIT(0)
#define SAVED_x(c) (c)->in[0]
#define SAVED_y(c) (c)->out[0]

#define OPERATOR(map, v, bytes) \
    TG_VECTOR_DECLARE(map##_vector) \
    TG_VECTOR_DECLARE(map##_grad_vector) \
    extern const tg_kernel map##_ref, map##_grad_ref; \
    const tg_op tg_##map##_grad_op = { \
        .name = #map "_grad", \
        .n_in = 2, \
        .n_out = 1, \
        .attr_size = bytes, \
        .infer = tg_infer_zip, \
        .kernels = TG_KERNELS(TG_VECTOR(map##_grad_vector), &map##_grad_ref), \
    }; \
    static void map##_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[]) \
    { \
        gin[0] = tg_apply(s, &tg_##map##_grad_op, (tg_tensor *const[]){ gout[0], SAVED_##v(c) }, c->attr); \
    } \
    const tg_op tg_##map##_op = { \
        .name = #map, \
        .n_in = 1, \
        .n_out = 1, \
        SAVES_##v, \
        .attr_size = bytes, \
        .infer = tg_infer_map, \
        .backward = map##_backward, \
        .remade_by = &tg_##map##_op, \
        .kernels = TG_KERNELS(TG_VECTOR(map##_vector), &map##_ref), \
    };

#define TG_MAP0(map, v, ...) \
    OPERATOR(map, v, 0) \
    tg_tensor *tg_##map(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_##map##_op, &x, NULL); }
#define TG_MAP1(map, p, value, v, ...) \
    OPERATOR(map, v, sizeof(tg_##map##_attr)) \
    tg_tensor *tg_##map(tg_scope *s, tg_tensor *x, double p) \
    { \
        return tg_apply(s, &tg_##map##_op, &x, &(tg_##map##_attr){ p }); \
    }
#define TG_MAP2(map, p, value_p, q, value_q, v, ...) \
    OPERATOR(map, v, sizeof(tg_##map##_attr)) \
    tg_tensor *tg_##map(tg_scope *s, tg_tensor *x, double p, double q) \
    { \
        return tg_apply(s, &tg_##map##_op, &x, &(tg_##map##_attr){ p, q }); \
    }
#include "elementwise.def"
