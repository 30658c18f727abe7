/* check_loss.h - stops the training before a non-finite loss reaches the weights. */
#ifndef TG_APPS_CHECK_LOSS_H
#define TG_APPS_CHECK_LOSS_H
#include <tilegrad/tilegrad.h>

/* Returns the loss.  If it isn't finite, the step fails and leaves the weights as they were. */
tg_tensor *check_loss(tg_scope *s, tg_tensor *loss);
bool check_loss_failed(const tg_scope *s); /* s failed because of a non-finite loss */
/* The origin: runs net again on x and names the first call with finite inputs and a non-finite result, such as
 * "conv2d in layer conv1".  The text lives in s. */
const char *check_loss_origin(tg_scope *s, tg_module *net, tg_tensor *x);
#endif
