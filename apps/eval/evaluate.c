/* evaluate.c - see evaluate.h. */
#include "evaluate.h"
#include "signals.h"
#include <math.h>

static int class_of(const float *logits, int64_t classes)
{
    float most = -INFINITY;
    int64_t best = NO_CLASS;
    for (int64_t c = 0; c < classes; c++) {
        if (isnan(logits[c])) return NO_CLASS;
        if (logits[c] > most) best = c, most = logits[c];
    }
    return isfinite(most) ? (int)best : NO_CLASS;
}

void judge_rows(tg_tensor *logits, tg_tensor *truth, int16_t *guess, verdict *v)
{
    const int64_t *const want = tg_i64(truth);
    const float *const y = tg_f32(logits);
    if (!y || !want) return;
    for (int64_t i = 0; i < logits->dim[0]; i++) {
        const int class = class_of(y + i * logits->dim[1], logits->dim[1]);
        if (guess) guess[i] = (int16_t) class;
        v->right += class == want[i];
        v->none += class == NO_CLASS;
    }
    v->seen += logits->dim[0];
}

verdict evaluate(tg_scope *s, tg_module *net, tg_loader *batches, int16_t *guess)
{
    tg_scope *const look = tg_push(s);
    verdict v = { 0 };
    double sum = 0;
    for (tg_batch b; !signals_stop() && tg_next(look, batches, &b); tg_reset(look)) {
        tg_tensor *const logits = tg_forward(look, net, b.x);
        sum += b.count * tg_item(tg_cross_entropy(look, logits, b.y));
        judge_rows(logits, b.y, guess + b.first, &v);
    }
    tg_pop(look);
    v.loss = v.seen ? sum / (double)v.seen : 0;
    return v;
}
