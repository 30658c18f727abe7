/* batch_norm2d.h - shared by the batch normalisation operators: shape checks, and the rules that fuse them. */
#ifndef TG_BATCH_NORM2D_H
#define TG_BATCH_NORM2D_H
#include "attr.h"

/* Checks that the tensors up to in[x] are images of in[x]'s shape, that the `vectors` after it are f32 [c], and that
 * eps and momentum are in range. */
bool tg_batch_norm2d_check(tg_scope *s, const tg_call *c, int x, int vectors);
/* in[k] is a mean[2,channels], an output of batch_norm2d. */
bool tg_batch_norm2d_want_mean(tg_scope *s, const tg_call *c, int k, int64_t channels);
/* infer of batch_norm2d, _relu and _add_relu; of the evaluation operators; of the gradients. */
void tg_batch_norm2d_infer(tg_scope *s, tg_call *c);
void tg_batch_norm2d_eval_infer(tg_scope *s, tg_call *c);
void tg_batch_norm2d_grad_infer(tg_scope *s, tg_call *c);           /* in[1] is the input */
void tg_batch_norm2d_grad_infer_at(tg_scope *s, tg_call *c, int x); /* in[x] is */
/* Whether a batch norm, an addition and a relu may be fused: the addition must not broadcast or change the dtype. */
bool tg_batch_norm2d_add_fits(const tg_call *const chain[]);

extern const tg_rule tg_rule_batch_norm2d_relu, tg_rule_batch_norm2d_add_relu;
extern const tg_rule tg_rule_batch_norm2d_eval_relu, tg_rule_batch_norm2d_eval_add_relu;
extern const tg_rule tg_rule_batch_norm2d_relu_grad;
extern const tg_rule tg_rule_relu_grad_batch_norm2d_grad, tg_rule_add_relu_grad_batch_norm2d_grad;
#endif
