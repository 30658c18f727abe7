/* batch_norm2d.h - what the operators of batch normalisation share: checks of shapes, and the rules that fuse them. */
#ifndef TG_BATCH_NORM2D_H
#define TG_BATCH_NORM2D_H
#include "attr.h"

/* The tensors up to in[x] are images of in[x]'s shape, the `vectors` after it f32 [c]; eps and momentum make sense. */
bool tg_batch_norm2d_check(tg_scope *s, const tg_call *c, int x, int vectors);
/* in[k] is a mean[2,channels], as batch_norm2d hands it out. */
bool tg_batch_norm2d_want_mean(tg_scope *s, const tg_call *c, int k, int64_t channels);
/* Infer of batch_norm2d, _relu and _add_relu; of the evaluating ones; of the gradients. */
void tg_batch_norm2d_infer(tg_scope *s, tg_call *c);
void tg_batch_norm2d_eval_infer(tg_scope *s, tg_call *c);
void tg_batch_norm2d_grad_infer(tg_scope *s, tg_call *c);           /* in[1] is the input */
void tg_batch_norm2d_grad_infer_at(tg_scope *s, tg_call *c, int x); /* in[x] is */
/* Whether a batch norm, an addition and a relu may become one: the addition does not broadcast or change the dtype. */
bool tg_batch_norm2d_add_fits(const tg_call *const chain[]);

extern const tg_rule tg_rule_batch_norm2d_relu, tg_rule_batch_norm2d_add_relu;
extern const tg_rule tg_rule_batch_norm2d_eval_relu, tg_rule_batch_norm2d_eval_add_relu;
extern const tg_rule tg_rule_batch_norm2d_relu_grad;
extern const tg_rule tg_rule_relu_grad_batch_norm2d_grad, tg_rule_add_relu_grad_batch_norm2d_grad;
#endif
