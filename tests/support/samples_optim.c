/* samples_optim.c - rows for the operators of optim/. */
#include "op_samples.h"
#include "update.h"

extern op_sample samples_sgd_update[], samples_adam_update[], samples_adamw_update[];
extern op_sample samples_grad_norm[], samples_clip_factor[];

#define SGD(...) \
    &(const tg_sgd_attr) { __VA_ARGS__ }
op_sample samples_sgd_update[] = {
    { "plain_1", { F(1), F(1), NONE, NONE }, SGD(.lr = 0.1), 0, 0 },
    { "plain_decay_17", { F(17), F(17), NONE, NONE }, SGD(.lr = 0.1, .weight_decay = 0.01), 0, 0 },
    { "momentum_first",
      { F(33, 3), F(33, 3), F(33, 3), NONE },
      SGD(.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .first = true),
      0,
      0 },
    { "momentum", { F(5, 3, 3, 7), F(5, 3, 3, 7), F(5, 3, 3, 7), NONE }, SGD(.lr = 0.1, .momentum = 0.9), 0, 0 },
    { "dampening_decay",
      { F(31), F(31), F(31), NONE },
      SGD(.lr = 0.1, .momentum = 0.8, .dampening = 0.3, .weight_decay = 0.05),
      0,
      0 },
    { "nesterov_clipped",
      { F(16), F(16), F(16), FR(0.2, 0.9, 1) },
      SGD(.lr = 0.1, .momentum = 0.9, .nesterov = true, .clip_value = 0.4),
      0,
      0 },
    { "plain_clipped", { F(15), F(15), NONE, FR(0.2, 0.9, 1) }, SGD(.lr = 0.1, .clip_value = 0.25), 0, 0 },
    { "three_tasks",
      { F(37, 1001), F(37, 1001), F(37, 1001), FR(0.2, 0.9, 1) },
      SGD(.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-4),
      0,
      0 },
    { 0 }
};

#define ADAM(...) \
    &(const tg_adam_attr) { .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, __VA_ARGS__ }
#define ADAM_ROWS \
    { "first_1", { F(1), F(1), FR(0, 1e-9, 1), FR(0, 1e-9, 1), NONE }, ADAM(.step = 1), 0, 0 }, \
        { "second_17", { F(17), F(17), F(17), FR(0, 1, 17), NONE }, ADAM(.step = 2), 0, 0 }, \
        { "decay_33x3", \
          { F(33, 3), F(33, 3), F(33, 3), FR(0, 1, 33, 3), NONE }, \
          ADAM(.step = 10, .weight_decay = 0.1), \
          0, \
          0 }, \
        { "clipped", \
          { F(31), F(31), F(31), FR(0, 1, 31), FR(0.2, 0.9, 1) }, \
          ADAM(.step = 1000, .clip_value = 0.3), \
          0, \
          0 }, \
        { "three_tasks", \
          { F(37, 1001), F(37, 1001), F(37, 1001), FR(0, 1, 37, 1001), FR(0.2, 0.9, 1) }, \
          ADAM(.step = 100000, .weight_decay = 0.01), \
          0, \
          0 }, \
    { \
        0 \
    }
op_sample samples_adam_update[] = { ADAM_ROWS };
op_sample samples_adamw_update[] = { ADAM_ROWS };

op_sample samples_grad_norm[] = { { "one", { F(1), NONE }, NULL, 0, 0 },
                                  { "small", { F(17, 3), NONE }, NULL, 0, 0 },
                                  { "chained", { F(31), FR(0, 3, 1) }, NULL, 0, 0 },
                                  { "three_tasks", { F(37, 1001), FR(0, 30, 1) }, NULL, 0, 0 },
                                  { 0 } };

op_sample samples_clip_factor[] = { { "above", { FR(2, 3, 1) }, &(const tg_clip_attr){ 1 }, 0, 0 },
                                    { "below", { FR(0.2, 0.3, 1) }, &(const tg_clip_attr){ 1 }, 0, 0 },
                                    { 0 } };
