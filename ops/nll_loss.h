/* nll_loss.h - shared by the cross entropy operators. */
#ifndef TG_NLL_LOSS_H
#define TG_NLL_LOSS_H
#include "attr.h"

void tg_nll_loss_infer(tg_scope *s, tg_call *c);                      /* loss, total; x is a float */
void tg_nll_loss_grad_infer(tg_scope *s, tg_call *c, tg_dtype dtype); /* of the gradient */
extern const tg_rule tg_rule_cross_entropy, tg_rule_cross_entropy_grad;
#endif
