/* ckpt_stats.c - see ckpt_stats.h. */
#include "ckpt_stats.h"
#include <math.h>

static void take(ckpt_stats *to, double value, long double *sum)
{
    if (isnan(value)) to->nan++;
    else if (isinf(value)) to->inf++;
    else {
        to->min = to->finite == 0 || value < to->min ? value : to->min;
        to->max = to->finite == 0 || value > to->max ? value : to->max;
        *sum += value;
        to->finite++;
    }
}

ckpt_stats ckpt_measure(ckpt *c, tg_tensor_file *f, int i, ckpt_numbers *room)
{
    const tg_file_tensor *const t = &f->tensor[i];
    const int64_t count = ckpt_count(t);
    ckpt_stats stats = { .known = ckpt_kind_of(t) != CKPT_OTHER };
    long double sum = 0;
    if (!stats.known) return stats;
    for (int64_t first = 0; first < count; first += CKPT_PIECE) {
        const int64_t n = count - first < CKPT_PIECE ? count - first : CKPT_PIECE;
        if (!ckpt_read(c, f, i, first, n, room)) return stats;
        for (int64_t k = 0; k < n; k++)
            take(&stats, room->kind == CKPT_WHOLE ? (double)room->whole[k] : room->floats[k], &sum);
        if (!ckpt_step(c, t->bytes / (uint64_t)count * (uint64_t)n)) return stats;
    }
    stats.mean = stats.finite ? (double)(sum / stats.finite) : 0;
    return stats;
}
