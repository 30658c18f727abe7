/* bench_checkpoint.h - `tilegrad bench --checkpoint DIR`: saving and loading, beside writing and reading so many bytes.
 */
#ifndef TG_APPS_BENCH_CHECKPOINT_H
#define TG_APPS_BENCH_CHECKPOINT_H
#include <tilegrad/tilegrad.h>

/* Prints what `rounds` saves and loads of net and opt took, in turn with plain ones; files in `folder` are removed
 * afterwards.  The error is kept in root. */
void bench_checkpoint(tg_scope *root, tg_module *net, tg_optim *opt, const char *folder, int rounds);
#endif
