/* optim.h - optimizers and learning rate schedules.
 *
 * tg_update applies the gradients that tg_backward left in the parameters, and consumes them: there is no zero_grad.
 * To accumulate gradients over micro-batches, call tg_update every n of them.  A parameter without a gradient is
 * skipped, as are frozen ones.  With two optimizers (a generator's and a discriminator's) see tg_backward_for in
 * module.h.
 *
 * Formulas are PyTorch's.  Defaults are, too, but for these: a learning rate has to be given; weight decay is 0 in
 * AdamW as well (PyTorch: 0.01); a group that names no weight decay has none (PyTorch: the optimizer's); TG_STEP wants
 * its factor gamma (PyTorch: 0.1); TG_ONE_CYCLE leaves the momentum alone (PyTorch cycles it); clipping by norm 0 is
 * switched off (PyTorch: gradients become 0).  A zeroed field of a config is its default; TG_ZERO (tensor.h) is the
 * number 0.  What is set by a function, or loaded, is what it says. */
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
tg_optim *tg_sgd(tg_scope *s, tg_module *m, tg_sgd_config config); /* lr is required (TG_ZERO: 0), as below */
/* Adam (Kingma & Ba): beta1 0 means 0.9, beta2 0 means 0.999, eps 0 means 1e-8 (TG_ZERO: 0); decay is added to the
 * gradient.  With eps 0 a parameter whose gradients were all 0 becomes NaN, as in PyTorch. */
typedef struct {
    float lr, beta1, beta2, eps, weight_decay;
} tg_adam_config;
tg_optim *tg_adam(tg_scope *s, tg_module *m, tg_adam_config config);
tg_optim *tg_adamw(tg_scope *s, tg_module *m, tg_adam_config config); /* decoupled: w -= lr weight_decay w first */

/* Applies what gradients there are, and runs the step.  The step counter advances only if all went well. */
void tg_update(tg_scope *s, tg_optim *opt);
int64_t tg_steps(const tg_optim *opt); /* updates done */

/* For tg_save_all and tg_load_all (state.h; checkpoint.h has the simple case): rates, options of its kind and groups,
 * the schedule, counters, and for each parameter the states, named "exp_avg/conv1.weight".  What it is (kind, number of
 * groups) has to be the file's, what it is set to comes from the file.  Prefix "optim/". */
tg_stateful tg_optim_state(tg_optim *opt);

/* ---- parameter groups: the first group holds every parameter of the module ---- */
typedef struct {
    float lr_scale, weight_decay;
} tg_group_config; /* lr_scale 0 means 1, TG_ZERO 0; decay as it says */
/* Moves parameters for which belongs(...) says so into a group of their own; returns its number, or -1. */
int tg_add_group(tg_scope *s, tg_optim *opt, tg_group_config config,
                 bool (*belongs)(const char *name, const tg_tensor *t, void *context), void *context);
/* The usual one: no weight decay on biases, norms and gains: those that tg_decays (module.h) spares. */
int tg_no_decay_on_bias_and_norm(tg_scope *s, tg_optim *opt);

/* ---- gradient clipping, done in tg_update before the update; first by norm, then by value ---- */
/* Over all parameters; 0 switches it off, INFINITY changes nothing, but finds the norm. */
void tg_clip_norm(tg_scope *s, tg_optim *opt, float max_norm);
/* The norm of all gradients, before clipping, in the last update that went well; NaN if it was not found: clipping by
 * norm was off, or there was no gradient. */
double tg_grad_norm(const tg_optim *opt);
void tg_clip_value(tg_scope *s, tg_optim *opt, float max_value); /* each element; 0 switches it off */

/* ---- learning rate ---- */
float tg_lr(const tg_optim *opt);                     /* the next update's */
void tg_set_lr(tg_scope *s, tg_optim *opt, float lr); /* finite, at least 0 */
typedef enum { TG_CONSTANT, TG_STEP, TG_COSINE, TG_ONE_CYCLE } tg_schedule_kind;
/* Counted in updates.  warmup > 0: first linear from warmup_from lr to lr; what follows counts from the end of it.
 * TG_STEP: times `gamma` (required; TG_ZERO: 0) every `every`.  TG_COSINE: by half a cosine from lr to lr_end, which
 * update `total` and later ones have.  TG_ONE_CYCLE: PyTorch's OneCycleLR with cosine annealing, for the rate only
 * (lr = max_lr, total = total_steps; 0 means pct_start 0.3 (TG_ZERO: 0), div_factor 25, final_div_factor 1e4). */
typedef struct {
    tg_schedule_kind kind;
    int64_t total, warmup, every;
    float warmup_from, gamma, lr_end, pct_start, div_factor, final_div_factor;
} tg_schedule_config;
void tg_schedule(tg_scope *s, tg_optim *opt, tg_schedule_config config);
float tg_schedule_at(const tg_schedule_config *config, float lr, int64_t step); /* the rate of update number step */

#ifdef __cplusplus
}
#endif
#endif
