/* module.h - modules: parameters, named children and a forward function.
 *
 * A module belongs to the scope it was created in.  Names are PyTorch's: a parameter's full name is the path of its
 * module followed by its own name, "layer1.0.conv1.weight".  The scope decides whether a forward pass trains (tg_train,
 * tg_push), so there is no train() or eval() to forget.  A module of your own is a struct that begins with tg_module:
 *
 *     typedef struct { tg_module base; tg_module *body, *skip; } residual;
 *     static tg_tensor *residual_forward(tg_scope *s, tg_module *m, tg_tensor *x)
 *     {
 *         residual *r = (residual *)m;
 *         return tg_relu(s, tg_add(s, tg_forward(s, r->body, x), tg_forward(s, r->skip, x)));
 *     }
 *     residual *r = (residual *)tg_module_new(s, sizeof *r, "Residual", residual_forward);
 *     if (!r) return NULL;                              // tg_message(s) is the reason
 *     r->body = tg_child(s, &r->base, "body", body);
 *
 * A module with several inputs or outputs is created by tg_module_new_n and called by tg_forward_n:
 *
 *     static void detector_forward(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
 *     {
 *         detector  *d = (detector *)m;
 *         tg_tensor *x = tg_concat(s, (tg_tensor *const[]){ tg_forward(s, d->body, in[0]), in[1] }, 2, -1);
 *         out[0] = tg_forward(s, d->boxes, x);
 *         out[1] = tg_forward(s, d->classes, x);
 *     }
 *     detector *d = (detector *)tg_module_new_n(s, sizeof *d, "Detector", 2, 2, detector_forward);
 *     tg_tensor *head[2];
 *     tg_forward_n(s, &d->base, (tg_tensor *const[]){ image, features }, 2, head, 2);
 *
 * A network written as a plain function uses as little memory as a module between tg_enter and tg_leave (frame.h).
 *
 * Constructors return NULL once s has failed, and every function here accepts a NULL module in a failed scope. */
#ifndef TG_MODULE_H
#define TG_MODULE_H
#include <stdio.h>
#include "op.h"
#include "state.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_module tg_module;
typedef tg_tensor *(*tg_forward_fn)(tg_scope *s, tg_module *m, tg_tensor *x);
typedef void (*tg_forward_n_fn)(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out); /* fills out */

typedef struct tg_slot {     /* one parameter or buffer of a module */
    const char *name;        /* "weight" */
    tg_tensor *tensor;       /* read only; tg_edit changes its values */
    const tg_tensor *added;  /* the same tensor: functions fail if `tensor` was replaced */
    bool buffer;             /* no gradient: running statistics */
    bool decays;             /* subject to weight decay: not a bias or the gain of a norm (tg_decays) */
    int file_axis;           /* the place of its last axis in files, -1: last (state.h) */
    const char *f32_because; /* why tg_optimize keeps it in FP32; NULL: it may convert it to bf16 */
    struct tg_slot *next;
} tg_slot;

struct tg_module {
    const char *kind;                       /* "Conv2d" */
    const char *name;                       /* within its parent: "conv1" */
    tg_module *parent, *first_child, *next; /* children in the order they were added */
    tg_slot *slots;                         /* in the order they were added */
    tg_forward_fn forward;                  /* for one input and one output; NULL: see forward_n */
    tg_forward_n_fn forward_n;
    int n_in, n_out;
    tg_scope *scope;
    const char *path;  /* computed on demand: see tg_module_path */
    bool f32_out;      /* bf16 results are cast to f32 for user code (tg_optimize) */
    tg_tensor **watch; /* where tg_summary collects the n_out results of each forward pass, or NULL */
    char detail[96];   /* "3, 64, kernel 3x3, pad 1", for the summary */
};

tg_module *tg_module_new(tg_scope *s, size_t bytes, const char *kind, tg_forward_fn forward); /* zeroed */
/* A module with n_in inputs and n_out outputs, at least one of each. */
tg_module *tg_module_new_n(tg_scope *s, size_t bytes, const char *kind, int n_in, int n_out, tg_forward_n_fn forward);
/* A module, its parameters and its children belong to one tree of scopes, and parameters live as long as their module.
 * Modules may share a tensor, which is then one parameter. */
tg_module *tg_child(tg_scope *s, tg_module *parent, const char *name, tg_module *child); /* returns child */
tg_tensor *tg_param(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);       /* requires a gradient */
tg_tensor *tg_buffer(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);
/* A parameter that only conv2d, conv_transpose2d and linear read: tg_optimize may convert it to bf16. */
tg_tensor *tg_weight(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);

/* Sets whether a parameter keeps its weight decay under tg_no_decay_on_bias_and_norm (optim.h).  By default weights of
 * products (tg_weight) do, and biases, gains and the parameters of norms do not; a tg_param counts as one of the latter
 * if its rank is 0 or 1 or its name is "bias".  Needed for others, such as a gain of shape [1, 1, c]. */
void tg_decays(tg_scope *s, tg_module *m, const char *name, bool decays);

/* Sets the place that the last axis of a parameter or buffer has in files, whose order of axes is PyTorch's: 1 for a
 * tg_weight, last for others; 0 for a LayerNorm over [h, w, c], which is [c, h, w] there. */
void tg_file_axis(tg_scope *s, tg_module *m, const char *name, int axis);

/* Calls the module.  Intermediate results are internal: their memory is released after their last use. */
tg_tensor *tg_forward(tg_scope *s, tg_module *m, tg_tensor *x);
/* The same for n_in inputs and n_out outputs, as many as the module has; fills out, also in a failed scope. */
void tg_forward_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out);
/* Gradient checkpointing: keeps no intermediate results for backward, which recomputes them; the same bits. */
tg_tensor *tg_checkpoint(tg_scope *s, tg_module *m, tg_tensor *x);
void tg_checkpoint_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out);

/* tg_backward (autograd.h) for the parameters of m only.  With two optimizers the loss of one part often depends on the
 * other part, as a generator's does on the discriminator.  tg_backward would compute gradients for both, and the next
 * update of the other optimizer would include them.  Instead:
 *
 *     tg_tensor *fake = tg_forward(step, generator, z);
 *     tg_backward_for(step, loss_of(tg_forward(step, discriminator, tg_detach(step, fake)), real), discriminator);
 *     tg_update(step, d_optim);
 *     tg_backward_for(step, loss_of(tg_forward(step, discriminator, fake)), generator);
 *     tg_update(step, g_optim);
 *
 * Fails if m has no parameter that requires a gradient, or the loss depends on none of them. */
void tg_backward_for(tg_scope *s, tg_tensor *loss, tg_module *m);
/* Frees the gradients of the parameters of m. */
void tg_clear_grads(tg_scope *s, tg_module *m);

/* The parameters and buffers of m for tg_save_all and tg_load_all (state.h), under their names relative to m, so that a
 * part of a network can be saved and loaded.  A shared tensor is saved once, under its first name.  The prefix is "".
 */
tg_stateful tg_module_state(tg_module *m);

/* ---- inspecting a network ---- */
const char *tg_module_path(const tg_module *m); /* "layer1.0.conv1"; "" for the top module */
/* Calls visit for each parameter and buffer in order, with its name relative to m; for a shared tensor once, under its
 * first name. */
void tg_each_param(const tg_module *m, void (*visit)(void *context, const char *name, tg_slot *slot, tg_module *owner),
                   void *context);
tg_module *tg_find_module(tg_module *top, const char *path); /* NULL: none */
tg_tensor *tg_find_param(tg_module *top, const char *name);  /* "conv1.weight"; NULL: none */
int64_t tg_param_count(const tg_module *m);                  /* elements of its parameters, without buffers */
/* Freezes the parameters of m (they require no gradient, and optimizers skip them), or unfreezes them.  Returns the
 * number of tensors; 0 if m is NULL, because tg_find_module found none for example, or if its scope has failed. */
int tg_freeze(tg_module *m);
int tg_unfreeze(tg_module *m);
/* Prints a table: each layer with its output shape for an input of this shape, its parameters and bytes. */
void tg_summary(tg_scope *s, tg_module *m, FILE *to, int rank, const int64_t *input_dim);
/* The same for a module with several inputs. */
typedef struct {
    int rank;
    int64_t dim[TG_MAX_RANK];
    tg_dtype dtype;
} tg_input_shape; /* dtype 0: f32 */
void tg_summary_n(tg_scope *s, tg_module *m, FILE *to, const tg_input_shape *input, int n);

#ifdef __cplusplus
}
#endif
#endif
