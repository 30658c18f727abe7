/* wave.h - values computed by the same formula in Python and C (tests/oracle/formula.py), so that no weights need to be
 * stored. */
#ifndef TG_WAVE_H
#define TG_WAVE_H
#include <tilegrad/tilegrad.h>

/* Element k of a tensor in PyTorch's order of axes is scale sin(0.37 k^2 + 1.7 k + seed) + shift. */
typedef struct {
    double seed, scale, shift;
} wave;
/* Fills a leaf; one of rank 4, [n, h, w, c], in the order of PyTorch's [n, c, h, w]. */
void fill_wave(tg_scope *s, tg_tensor *t, wave formula);
tg_tensor *new_wave(tg_scope *s, wave formula, int rank, const int64_t *dim);
/* The i-th parameter of the module (from 1) gets seed i, this scale, and shift 1 if it is the scale of a norm. */
void fill_params(tg_scope *s, tg_module *m, double scale);

/* The index in our tensor of element k of PyTorch's. */
int64_t place_of(const tg_tensor *t, int64_t k);
#endif
