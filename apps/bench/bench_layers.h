/* bench_layers.h - `tilegrad bench --layers`: each convolution of a model separately, in its three passes. */
#ifndef TG_APPS_BENCH_LAYERS_H
#define TG_APPS_BENCH_LAYERS_H
#include <tilegrad/tilegrad.h>

/* Prints the table.  Errors fail root. */
void bench_layers(tg_scope *root, const tg_model_info *model, int batch, bool bf16, int rounds);
#endif
