/* wave.c - tensors filled by a formula.  See wave.h. */
#include "wave.h"
#include <math.h>
#include <string.h>

int64_t place_of(const tg_tensor *t, int64_t k)
{
    if (t->rank != 4) return k;
    const int64_t h = t->dim[1], w = t->dim[2], c = t->dim[3];
    const int64_t column = k % w, line = k / w % h, channel = k / (w * h) % c, image = k / (w * h * c);
    return ((image * h + line) * w + column) * c + channel;
}

void fill_wave(tg_scope *s, tg_tensor *t, wave formula)
{
    float *data = tg_edit(s, t);
    for (int64_t k = 0; data && k < tg_count(t); k++) {
        const double at = (double)k, number = formula.scale * sin(0.37 * at * at + 1.7 * at + formula.seed);
        data[place_of(t, k)] = (float)number + (float)formula.shift;
    }
}

tg_tensor *new_wave(tg_scope *s, wave formula, int rank, const int64_t *dim)
{
    tg_tensor *t = tg_zeros(s, TG_F32, rank, dim);
    fill_wave(s, t, formula);
    return t;
}

typedef struct {
    tg_scope *scope;
    double scale;
    int n;
} filling;

static void fill_one(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    filling *f = context;
    (void)name;
    if (slot->buffer) return;
    const bool scales = !strcmp(owner->kind, "BatchNorm2d") && !strcmp(slot->name, "weight");
    fill_wave(f->scope, slot->tensor, (wave){ ++f->n, f->scale, scales });
}

void fill_params(tg_scope *s, tg_module *m, double scale) { tg_each_param(m, fill_one, &(filling){ s, scale, 0 }); }
