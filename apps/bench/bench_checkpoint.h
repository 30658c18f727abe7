/* bench_checkpoint.h - `tilegrad bench --checkpoint DIR`: saving and loading, compared with plain writes and reads. */
#ifndef TG_APPS_BENCH_CHECKPOINT_H
#define TG_APPS_BENCH_CHECKPOINT_H
#include <tilegrad/tilegrad.h>

/* Times `rounds` saves and loads of net and opt, alternating with plain ones, and prints the results.  Files in
 * `folder` are removed afterwards.  Errors fail root. */
void bench_checkpoint(tg_scope *root, tg_module *net, tg_optim *opt, const char *folder, int rounds);
#endif
