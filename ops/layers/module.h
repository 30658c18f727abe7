/* module.h - parameters and a forward function, with named children.
 *
 * A module is built in a scope and lives as long as it.  Names are PyTorch's: a parameter's full name is the path of
 * its module and its own, "layer1.0.conv1.weight".  Whether a forward trains is the scope's business (tg_train,
 * tg_push): there is no train() / eval() to forget.  A module of one's own is a struct that begins with tg_module:
 *
 *     typedef struct { tg_module base; tg_module *body, *skip; } residual;
 *     static tg_tensor *residual_forward(tg_scope *s, tg_module *m, tg_tensor *x)
 *     {
 *         residual *r = (residual *)m;
 *         return tg_relu(s, tg_add(s, tg_forward(s, r->body, x), tg_forward(s, r->skip, x)));
 *     }
 *     residual *r = (residual *)tg_module_new(s, sizeof *r, "Residual", residual_forward);
 *     if (!r) return NULL;                              // s says why
 *     r->body = tg_child(s, &r->base, "body", body);
 *
 * With several inputs or outputs it is made by tg_module_new_n and run by tg_forward_n:
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
 * A network that is a plain function runs with the memory of a module between tg_enter and tg_leave (frame.h).
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
    tg_tensor *tensor;       /* read only: the module reads the one it was made with.  tg_edit writes values */
    const tg_tensor *added;  /* the same; if somebody replaces `tensor`, whatever is done with the module fails */
    bool buffer;             /* no gradient: running statistics */
    bool decays;             /* weight decay makes sense: no bias, no gain of a norm (tg_decays) */
    int file_axis;           /* where files have its last axis, -1: last (state.h) */
    const char *f32_because; /* why tg_optimize leaves it in FP32; NULL: it may hold it in bf16 */
    struct tg_slot *next;
} tg_slot;

struct tg_module {
    const char *kind;                       /* "Conv2d" */
    const char *name;                       /* among its siblings: "conv1" */
    tg_module *parent, *first_child, *next; /* children in the order they were added */
    tg_slot *slots;                         /* in the order they were added */
    tg_forward_fn forward;                  /* of one input and one output; NULL: forward_n */
    tg_forward_n_fn forward_n;
    int n_in, n_out;
    tg_scope *scope;
    const char *path;  /* made on demand: see tg_module_path */
    bool f32_out;      /* bf16 results are f32 for user code (tg_optimize) */
    tg_tensor **watch; /* where tg_summary wants the n_out results of each forward, or NULL */
    char detail[96];   /* "3, 64, kernel 3x3, pad 1" for the summary */
};

tg_module *tg_module_new(tg_scope *s, size_t bytes, const char *kind, tg_forward_fn forward); /* zeroed */
/* A module of n_in inputs and n_out outputs, at least one of each. */
tg_module *tg_module_new_n(tg_scope *s, size_t bytes, const char *kind, int n_in, int n_out, tg_forward_n_fn forward);
/* Modules, parameters and children of one network belong to one tree of scopes, and a parameter lives as long as its
 * module.  Modules of a tree may share a tensor; it is one parameter then. */
tg_module *tg_child(tg_scope *s, tg_module *parent, const char *name, tg_module *child); /* returns child */
tg_tensor *tg_param(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);       /* wants a gradient */
tg_tensor *tg_buffer(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);
/* A parameter that only products read (conv2d, conv_transpose2d, linear): tg_optimize may hold it in bf16. */
tg_tensor *tg_weight(tg_scope *s, tg_module *m, const char *name, tg_tensor *leaf);

/* Whether tg_no_decay_on_bias_and_norm (optim.h) leaves weight decay on this parameter.  By its role: weights of
 * products (tg_weight) decay, what shifts or scales (biases, gains, the parameters of norms) does not.  Of a tg_param
 * the role is guessed: one of rank 0 or 1, or with the name "bias", shifts or scales; say so of others, [1, 1, c] for
 * example. */
void tg_decays(tg_scope *s, tg_module *m, const char *name, bool decays);

/* Files have the last axis of this parameter or buffer at place `axis`, which is PyTorch's; tg_weight says 1, the
 * others last.  LayerNorm over [h, w, c] is [c, h, w] there: 0. */
void tg_file_axis(tg_scope *s, tg_module *m, const char *name, int axis);

/* Runs the module.  What it makes inside is internal: it gives its memory back after its last use. */
tg_tensor *tg_forward(tg_scope *s, tg_module *m, tg_tensor *x);
/* The same with n_in inputs and n_out outputs, which are the module's; out is filled, also in a failed scope. */
void tg_forward_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out);
/* The same, but nothing inside is kept for backward, which computes it again: less memory, more time, the same bits. */
tg_tensor *tg_checkpoint(tg_scope *s, tg_module *m, tg_tensor *x);
void tg_checkpoint_n(tg_scope *s, tg_module *m, tg_tensor *const *in, int n_in, tg_tensor **out, int n_out);

/* tg_backward (autograd.h) for the parameters of m alone.  With two optimizers, each of a part, one part's loss mostly
 * goes through the other: a generator's through the discriminator.  tg_backward would leave gradients there, too, and
 * the other optimizer's next update would add them.  So:
 *
 *     tg_tensor *fake = tg_forward(step, generator, z);
 *     tg_backward_for(step, loss_of(tg_forward(step, discriminator, tg_detach(step, fake)), real), discriminator);
 *     tg_update(step, d_optim);
 *     tg_backward_for(step, loss_of(tg_forward(step, discriminator, fake)), generator);
 *     tg_update(step, g_optim);
 *
 * Fails if m has no parameter that wants a gradient, or the loss depends on none. */
void tg_backward_for(tg_scope *s, tg_tensor *loss, tg_module *m);
/* Drops the gradients of the parameters of m. */
void tg_clear_grads(tg_scope *s, tg_module *m);

/* Its parameters and buffers, for tg_save_all and tg_load_all (state.h), with their names as seen from m: a sub-module
 * can be saved and loaded alone.  A tensor that modules share is saved once, under its first name.  Prefix "". */
tg_stateful tg_module_state(tg_module *m);

/* ---- looking at a tree ---- */
const char *tg_module_path(const tg_module *m); /* "layer1.0.conv1"; "" for the top */
/* Calls visit for each parameter and buffer in order, with its name as seen from m; a tensor shared by several modules
 * once, under its first name. */
void tg_each_param(const tg_module *m, void (*visit)(void *context, const char *name, tg_slot *slot, tg_module *owner),
                   void *context);
tg_module *tg_find_module(tg_module *top, const char *path); /* NULL if there is none */
tg_tensor *tg_find_param(tg_module *top, const char *name);  /* "conv1.weight"; NULL if there is none */
int64_t tg_param_count(const tg_module *m);                  /* numbers in its parameters, without buffers */
/* Its parameters want no gradient, and optimizers skip them; and the opposite.  They return how many tensors that is: 0
 * of a module that is NULL, for example because tg_find_module found none, or whose scope has failed, or fails because
 * a slot's tensor was replaced. */
int tg_freeze(tg_module *m);
int tg_unfreeze(tg_module *m);
/* A table: each layer, its output shape for an input of this shape (with any batch size), parameters, bytes. */
void tg_summary(tg_scope *s, tg_module *m, FILE *to, int rank, const int64_t *input_dim);
/* The same for a module of several inputs. */
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
