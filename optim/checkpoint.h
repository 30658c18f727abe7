/* checkpoint.h - saving a model with its optimizer, and resuming.
 *
 *     tg_save(s, "lenet.safetensors", net, opt);
 *     tg_load(s, "lenet.safetensors", net, opt);        // in another process: resumes with the same bits
 *
 * The file is safetensors with PyTorch's names and layouts (state.h describes how it is written and read):
 *
 *     conv1.weight ...                   parameters and buffers, as load_state_dict expects them
 *     optim/exp_avg/conv1.weight ...     states of the optimizer, by parameter, in its layout
 *     metadata                           optim/kind, optim/lr, optim/steps ..., the schedule,
 *                                        random/seed, random/counter, made/version, made/isa, made/threads
 *
 * Saving and loading do not depend on whether tg_optimize was called before or after, on the dtype, the processor or
 * the number of threads: masters and states have the same bits.  Gradients that wait for an update are not saved.  To
 * save more than a model and an optimizer, a loader's position for example, pass tg_module_state (module.h),
 * tg_optim_state (optim.h), tg_loader_state (datasets.h) and tg_random_state (state.h) to tg_save_all.
 *
 * A failed save leaves the previous file as it was; after tg_clear training can continue.  tg_system_error returns
 * ENOSPC for a full disk.  Where the size of files is limited (ulimit -f), the system sends SIGXFSZ first, which ends
 * the program unless it ignores that signal; then the error is EFBIG. */
#ifndef TG_CHECKPOINT_H
#define TG_CHECKPOINT_H
#include "optim.h"
#include "state.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Saves parameters and buffers, and unless opt is NULL its states and the state of the random numbers of s's tree. */
void tg_save(tg_scope *s, const char *path, tg_module *model, tg_optim *opt);
/* Loads parameters and buffers, and unless opt is NULL everything else that tg_save wrote: rates, options of groups and
 * schedule come from the file; the optimizer's kind and number of groups must match it. */
void tg_load(tg_scope *s, const char *path, tg_module *model, tg_optim *opt);

#ifdef __cplusplus
}
#endif
#endif
