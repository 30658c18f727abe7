/* optimize.h - makes a model compute on the fastest kernels of this processor.
 *
 *     tg_optimize(root, net, opt, TG_BF16);
 *
 * BF16: the weights of convolutions, transposed convolutions and linear layers become bf16, each with its exact FP32
 * master beside it (master.h; 4 bytes a parameter, as before).  Activations between them are then bf16; biases,
 * normalisation, losses, gradients of weights and optimizer states stay FP32.  Updates change the master and write the
 * bf16 weight and the packed forms that kernels read, in one pass.  FP32: the packed forms only.
 *
 * What changes for a program in BF16:
 *
 *   - The dtype of these weights, and of every tensor that shares their memory (tg_reshape, tg_detach), is TG_BF16:
 * tg_data shows bf16 numbers.  Pointers that tg_data or tg_edit gave for them before are void.  tg_f32 and tg_copy read
 * the FP32 master, tg_edit writes it.
 *   - What tg_forward of m returns to user code is f32 (nothing is computed for that unless somebody reads it); config
 *     .bf16_out leaves it in bf16.  What a part of m returns, and what operators make of bf16, is bf16: t->dtype says
 * what tg_data shows, tg_f32 reads either.
 *
 * Nothing else changes: names of parameters, optimizer states, saved files.  It may be called before or after the
 * optimizer is made, in training or for inference, and again (what is done stays done). */
#ifndef TG_OPTIMIZE_H
#define TG_OPTIMIZE_H
#include "optim.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TG_O1, TG_O0 } tg_level; /* O1: everything; O0: nothing is changed */
typedef struct {
    tg_level level;
    bool no_bf16;    /* weights stay FP32 */
    bool no_prepack; /* weights keep no packed forms: kernels pack them at each call */
    bool bf16_out;   /* the results of m stay bf16 for user code, too */
} tg_optimize_config;

typedef struct {
    const char *name, *kind; /* "layer1.0.conv1", "Conv2d" */
    bool bf16, packed;       /* its weight has a bf16 form; keeps what kernels pack */
    const char *why;         /* "" or why not, or what else there is to know */
} tg_optimize_row;

typedef struct {
    tg_dtype dtype;   /* asked for */
    const char *note; /* about all of it, or "" */
    int n;
    tg_optimize_row *rows; /* one for each layer that has parameters, in the order of the model */
} tg_optimize_report;

/* dtype is TG_BF16 or TG_F32; opt may be NULL (inference).  All or nothing: after a failure model and optimizer are
 * what they were.  The report lives as long as s; NULL once s has failed. */
const tg_optimize_report *tg_optimize(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype);
const tg_optimize_report *tg_optimize_with(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype,
                                           tg_optimize_config config);
void tg_print_report(const tg_optimize_report *report, FILE *to); /* as a table */

#ifdef __cplusplus
}
#endif
#endif
