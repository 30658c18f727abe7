/* optimize.h - prepares a model for the fastest kernels of this processor.
 *
 *     tg_optimize(root, net, opt, TG_BF16);
 *
 * BF16: the weights of convolutions, transposed convolutions and linear layers become bf16, each with its exact FP32
 * master (master.h; 4 bytes a parameter, as before).  Activations between these layers are bf16; biases, normalisation,
 * losses, gradients of weights and optimizer states stay FP32.  Updates change the master and write the bf16 weight and
 * its packed forms in the same pass.  FP32: weights are prepacked only.
 *
 * What changes for a program in BF16:
 *
 *   - The dtype of these weights, and of every tensor that shares their memory (tg_reshape, tg_detach), becomes
 *     TG_BF16, and tg_data returns bf16.  Pointers that tg_data or tg_edit returned before are invalid.  tg_f32 and
 *     tg_copy read the FP32 master, tg_edit writes it.
 *   - tg_forward of m returns f32 to user code (the cast is computed only if it is read); config.bf16_out leaves it in
 *     bf16.  Results of parts of m, and of operators on bf16, are bf16: tg_data follows t->dtype, tg_f32 reads both.
 *
 * Nothing else changes: names of parameters, optimizer states, saved files.  tg_optimize may be called before or after
 * the optimizer is created, for training or inference, and more than once. */
#ifndef TG_OPTIMIZE_H
#define TG_OPTIMIZE_H
#include "optim.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TG_O1, TG_O0 } tg_level; /* O1: everything; O0: nothing */
typedef struct {
    tg_level level;
    bool no_bf16;    /* weights stay FP32 */
    bool no_prepack; /* weights are packed before each call instead of once */
    bool bf16_out;   /* the results of m are bf16 for user code, too */
} tg_optimize_config;

typedef struct {
    const char *name, *kind; /* "layer1.0.conv1", "Conv2d" */
    bool bf16, packed;       /* its weight is bf16; it is prepacked */
    const char *why;         /* why not, or another remark; "": none */
} tg_optimize_row;

typedef struct {
    tg_dtype dtype;   /* as requested */
    const char *note; /* about the whole model, or "" */
    int n;
    tg_optimize_row *rows; /* a row per layer with parameters, in the order of the model */
} tg_optimize_report;

/* dtype is TG_BF16 or TG_F32; opt may be NULL (inference).  If it fails, model and optimizer are unchanged.  The report
 * is freed with s; NULL if s has failed. */
const tg_optimize_report *tg_optimize(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype);
const tg_optimize_report *tg_optimize_with(tg_scope *s, tg_module *m, tg_optim *opt, tg_dtype dtype,
                                           tg_optimize_config config);
void tg_print_report(const tg_optimize_report *report, FILE *to); /* as a table */

#ifdef __cplusplus
}
#endif
#endif
