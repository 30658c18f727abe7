/* update.h - shared by the files of this folder: the update operators, and the insides of an optimizer.
 *
 * An update is an effect, one per parameter:
 *
 *     sgd_update(w, g, v?, factor?)           writes w, v; v is NULL without momentum
 *     adam_update(w, g, m, v, factor?)        writes w, m, v; weight decay is added to the gradient
 *     adamw_update(w, g, m, v, factor?)       the same; w is decayed first
 *
 * All are f32 and of w's shape, except that w may be bf16 with an FP32 master (master.h), which is then updated. The
 * factor [1] is that by which clipping multiplies g:
 *
 *     grad_norm(g, before[1]?) -> [1]         sqrt(before^2 + sum g^2): the norm over several tensors is a chain
 *     clip_factor(norm[1]) -> [1]             min(1, max_norm / (norm + 1e-6)) */
#ifndef TG_UPDATE_H
#define TG_UPDATE_H
#include "optim.h"

typedef struct {
    double lr, weight_decay;
    double clip_value; /* g is clamped to +-clip_value, after the factor; 0: not clamped */
    double momentum, dampening;
    bool nesterov, first; /* first: v = g */
} tg_sgd_attr;

typedef struct {
    double lr, weight_decay, clip_value;
    double beta1, beta2, eps;
    int64_t step; /* of this parameter, from 1: for bias correction */
} tg_adam_attr;

/* The parts of Adam's formulas that do not depend on the element: lr and the square roots with their bias corrections,
 * the decay added to g, the factor that shrinks w. */
typedef struct {
    double size, root, added, shrink;
} tg_adam_terms;
tg_adam_terms tg_adam_terms_of(const tg_call *c);

typedef struct {
    double max_norm;
} tg_clip_attr;

extern const tg_op tg_sgd_update_op, tg_adam_update_op, tg_adamw_update_op, tg_grad_norm_op, tg_clip_factor_op;

/* ---- for the update operators' files ---- */

/* Checks that in[0] .. in[n - 1], where present, are f32 of one shape (in[0] may be split), and that in[n] has one
 * element. */
bool tg_update_wants(tg_scope *s, const tg_call *c, int n);
/* True if value is finite and >= 0; otherwise fails with "sgd: lr nan, want a finite number of at least 0". */
bool tg_update_wants_number(tg_scope *s, const char *who, const char *what, double value);
/* Tasks: rows of in[0], in tg_repack's units (tg_rows_of_task). */
int64_t tg_update_tasks(const tg_call *c, int phase);
int64_t tg_update_takes(const tg_call *c, int k);
typedef struct {
    int64_t r0, r1, begin, end;
} tg_update_rows; /* rows r0 .. r1 - 1 are elements begin .. end - 1 */
tg_update_rows tg_update_rows_of(const tg_call *c, const tg_task *task);
/* An element of a weight, or of its master, if it is split. */
double tg_weight_get(const tg_tensor *w, int64_t i);
void tg_weight_set(const tg_tensor *w, int64_t i, double value);
/* The gradient that the formulas use: g factor, clamped to +-limit. */
static inline float tg_clipped(float g, float factor, float limit)
{
    const float f = g * factor;
    return f > limit ? limit : f < -limit ? -limit : f;
}
float tg_update_limit(double clip_value); /* clip_value, or infinity */

/* ---- optimizers ---- */

/* Configs with defaults filled in: here 0 is a value. Defaults are exact, not rounded to f32, because 1 - 0.999 is
 * small. */
typedef struct {
    double beta1, beta2, eps;
} tg_adam_values;
typedef struct {
    tg_schedule_kind kind;
    int64_t total, warmup, every;
    double warmup_from, gamma, lr_end, pct_start, div_factor, final_div_factor;
} tg_schedule_values;
tg_schedule_values tg_schedule_values_of(const tg_schedule_config *config);
double tg_schedule_rate(const tg_schedule_values *v, double lr, int64_t step);

enum { TG_MAX_STATES = 2 };

typedef struct tg_group {
    float lr_scale, weight_decay;
    struct tg_group *next;
} tg_group;

typedef struct { /* one parameter */
    const char *name;
    tg_tensor *param, *state[TG_MAX_STATES]; /* states are created with the first gradient */
    int file_axis;                           /* of param and its states (module.h) */
    bool decays;                             /* its module's role for it (module.h) */
    tg_tensor *grad;                         /* in tg_update: the gradient applied, or NULL */
    const tg_group *group;
    int64_t steps; /* updates of this parameter */
} tg_optim_slot;

typedef struct {                           /* an optimization algorithm */
    const char *name;                      /* "sgd" */
    const char *state_name[TG_MAX_STATES]; /* PyTorch's: "exp_avg"; NULL: no such state */
    /* Records the update of one slot with this learning rate; factor may be NULL. */
    void (*record)(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor);
    void (*visit)(tg_state *to, tg_optim *opt);      /* lists the values in config (state.h) */
    void (*update_format)(tg_optim *opt);            /* converts values of format 1; may be NULL */
    void (*check)(tg_scope *s, const tg_optim *opt); /* checks loaded values; may be NULL */
} tg_optim_kind;

struct tg_optim {
    const tg_optim_kind *kind;
    tg_scope *scope;
    int n_slots, n_groups;
    tg_optim_slot *slots;
    tg_group group; /* the first; others are linked to it */
    float lr, clip_norm, clip_value;
    double grad_norm; /* measured by clipping in the last update, or NaN */
    tg_schedule_values schedule;
    int64_t steps;
    int64_t format; /* format of its state in a file (optim_state.c) */
    union {
        tg_sgd_config sgd;
        tg_adam_values adam;
    } config;
};

/* An optimizer with a slot for each parameter of m; NULL once s has failed. */
tg_optim *tg_optim_new(tg_scope *s, const tg_optim_kind *kind, const tg_module *m, float lr, float weight_decay);
/* The norm of all gradients in the slots; NULL if there is none or clipping is off. And the clip factor. */
tg_tensor *tg_optim_norm(tg_scope *s, const tg_optim *opt);
tg_tensor *tg_optim_factor(tg_scope *s, const tg_optim *opt, tg_tensor *norm);
/* Fails s if these values are not a valid schedule. */
void tg_schedule_check(tg_scope *s, const tg_schedule_values *v);
#endif
