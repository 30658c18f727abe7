/* optim.h - optimizers, parameter groups, gradient clipping, learning-rate schedules.
 *
 * tg_update applies the gradients that tg_backward computed and then frees them, so there is no zero_grad.  To
 * accumulate gradients over n micro-batches, call tg_update after every n-th.  Parameters that are frozen or have no
 * gradient are skipped.  For two optimizers, a generator's and a discriminator's, see tg_backward_for in module.h.
 *
 * Formulas are PyTorch's, and so are defaults, with these exceptions: the learning rate has no default; weight decay is
 * 0 in AdamW as well (PyTorch: 0.01); a group that sets no weight decay has none (PyTorch: the optimizer's); TG_STEP
 * requires gamma (PyTorch: 0.1); TG_ONE_CYCLE does not cycle the momentum (PyTorch does); clipping to norm 0 is off
 * (PyTorch: gradients become 0).  A zeroed field of a config means its default; TG_ZERO (tensor.h) means 0.  Values set
 * by functions or loaded from files are taken literally. */
#ifndef TG_OPTIM_H
#define TG_OPTIM_H
#include "module.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_optim tg_optim;

/* g += weight_decay w;  v = momentum v + (1 - dampening) g (the first time v = g);
 * g = nesterov ? g + momentum v : v;  w -= lr g */
typedef struct {
    float lr, momentum, dampening, weight_decay;
    bool nesterov;
} tg_sgd_config;
tg_optim *tg_sgd(tg_scope *s, tg_module *m, tg_sgd_config config); /* lr is required (TG_ZERO: 0), as for Adam */
/* Adam (Kingma & Ba 2015).  beta1 0 means 0.9, beta2 0 means 0.999, eps 0 means 1e-8 (TG_ZERO: 0).  Weight decay is
 * added to the gradient.  With eps 0 elements whose gradients were all 0 become NaN, as in PyTorch. */
typedef struct {
    float lr, beta1, beta2, eps, weight_decay;
} tg_adam_config;
tg_optim *tg_adam(tg_scope *s, tg_module *m, tg_adam_config config);
tg_optim *tg_adamw(tg_scope *s, tg_module *m, tg_adam_config config); /* decoupled: w -= lr weight_decay w first */

/* Applies the gradients and runs the step.  If it fails, nothing has changed and the step does not count. */
void tg_update(tg_scope *s, tg_optim *opt);
int64_t tg_steps(const tg_optim *opt); /* updates so far */

/* The optimizer for tg_save_all and tg_load_all (state.h; for the simple case see checkpoint.h): rates, options and
 * groups, the schedule, counters, and the states of each parameter, as "exp_avg/conv1.weight".  When loading, the kind
 * and the number of groups must match the file; settings are taken from it.  The prefix is "optim/". */
tg_stateful tg_optim_state(tg_optim *opt);

/* ---- parameter groups; all parameters start in the first ---- */
typedef struct {
    float lr_scale, weight_decay;
} tg_group_config; /* lr_scale: 0 means 1, TG_ZERO 0 */
/* Moves the parameters for which belongs(...) is true into a new group.  Returns its number; -1 if s fails. */
int tg_add_group(tg_scope *s, tg_optim *opt, tg_group_config config,
                 bool (*belongs)(const char *name, const tg_tensor *t, void *context), void *context);
/* A group without weight decay for biases, gains and the parameters of norms; see tg_decays in module.h. */
int tg_no_decay_on_bias_and_norm(tg_scope *s, tg_optim *opt);

/* ---- gradient clipping, by tg_update before the update: first by norm, then by value ---- */
/* The norm of all gradients together; 0 switches it off, INFINITY only measures it. */
void tg_clip_norm(tg_scope *s, tg_optim *opt, float max_norm);
/* The norm of all gradients before clipping in the last successful update; NaN if clipping by norm is off or there was
 * no gradient. */
double tg_grad_norm(const tg_optim *opt);
void tg_clip_value(tg_scope *s, tg_optim *opt, float max_value); /* of each element; 0 switches it off */

/* ---- learning rate ---- */
float tg_lr(const tg_optim *opt);                     /* of the next update */
void tg_set_lr(tg_scope *s, tg_optim *opt, float lr); /* finite, at least 0 */
typedef enum { TG_CONSTANT, TG_STEP, TG_COSINE, TG_ONE_CYCLE } tg_schedule_kind;
/* Counts in updates.  With warmup > 0 the rate first rises linearly from warmup_from lr to lr, and the schedule starts
 * after that.  TG_STEP multiplies by `gamma` (required; TG_ZERO: 0) every `every` updates.  TG_COSINE descends from lr
 * to lr_end, which update `total` reaches, and stays there.  TG_ONE_CYCLE is PyTorch's OneCycleLR with cosine
 * annealing, for the rate only: lr is max_lr, total is total_steps; 0 means pct_start 0.3 (TG_ZERO: 0), div_factor 25,
 * final_div_factor 1e4. */
typedef struct {
    tg_schedule_kind kind;
    int64_t total, warmup, every;
    float warmup_from, gamma, lr_end, pct_start, div_factor, final_div_factor;
} tg_schedule_config;
void tg_schedule(tg_scope *s, tg_optim *opt, tg_schedule_config config);
float tg_schedule_at(const tg_schedule_config *config, float lr, int64_t step); /* the rate of update `step`, from 0 */

#ifdef __cplusplus
}
#endif
#endif
