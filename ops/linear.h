/* linear.h - shared by linear and linear_relu. */
#ifndef TG_LINEAR_H
#define TG_LINEAR_H
#include "attr.h"

void tg_linear_infer(tg_scope *s, tg_call *c);
double tg_linear_flops(const tg_call *c);
extern const tg_rule tg_linear_relu_rule; /* ops/fused */
#endif
