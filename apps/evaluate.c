/* evaluate.c - see evaluate.h. */
#include "evaluate.h"
#include "signals.h"

int64_t count_right(tg_tensor *logits, tg_tensor *truth, uint8_t *guess)
{
    const int64_t *const want = tg_data(truth);
    const int64_t classes = logits->dim[1];
    int64_t right = 0;
    for (int64_t i = 0; tg_data(logits) && want && i < logits->dim[0]; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (tg_get(logits, i * classes + c) > tg_get(logits, i * classes + best)) best = c;
        if (guess) guess[i] = (uint8_t)best;
        right += best == want[i];
    }
    return right;
}

int64_t evaluate(tg_scope *s, tg_module *net, tg_loader *batches, uint8_t *guess, double *loss)
{
    tg_scope *const look = tg_push(s);
    int64_t right = 0, seen = 0;
    double  sum = 0;
    for (tg_batch b; !signals_stop() && tg_next(look, batches, &b); tg_reset(look)) {
        tg_tensor *const logits = tg_forward(look, net, b.x);
        if (loss) sum += b.count * tg_item(tg_cross_entropy(look, logits, b.y));
        right += count_right(logits, b.y, guess + b.first);
        seen += b.count;
    }
    tg_pop(look);
    if (loss) *loss = seen ? sum / (double)seen : 0;
    return right;
}
