/* check_loss.h - a loss that is not a number stops the training, before it reaches the weights. */
#ifndef TG_APPS_CHECK_LOSS_H
#define TG_APPS_CHECK_LOSS_H
#include <tilegrad/tilegrad.h>

/* The loss itself; if it is not finite the step does not happen: it fails, and the weights stay as they were. */
tg_tensor *check_loss(tg_scope *s, tg_tensor *loss);
bool check_loss_failed(const tg_scope *s); /* s has failed because of that */
/* Where it began: runs net once more on x and tells the first call whose inputs are finite, and whose result is not:
 * "conv2d in layer conv1".  The text lives in s. */
const char *check_loss_origin(tg_scope *s, tg_module *net, tg_tensor *x);
#endif
