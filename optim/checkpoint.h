/* checkpoint.h - saving a model and its optimizer, and going on from there.
 *
 *     tg_save(s, "lenet.safetensors", net, opt);
 *     tg_load(s, "lenet.safetensors", net, opt);        // in another process: the same bits from here on
 *
 * The file is safetensors with PyTorch's names and layouts (state.h says how it is written and read):
 *
 *     conv1.weight ...                   the model's parameters and buffers: load_state_dict takes them
 *     optim/exp_avg/conv1.weight ...     the optimizer's states, by parameter, in its layout
 *     metadata                           optim/kind, optim/lr, optim/steps ..., the schedule, random/seed,
 * random/counter; made/version, made/isa, made/threads
 *
 * It makes no difference whether tg_optimize comes before or after either of them, with which dtype, on which
 * processor, or with how many threads: masters and states are the same bits.  Gradients that wait for an update are not
 * saved. More than these two, a loader's position for example: tg_save_all and the parts tg_module_state (module.h),
 * tg_optim_state (optim.h), tg_loader_state (datasets.h), tg_random_state (state.h).
 *
 * A save that fails leaves the file before as it was: tg_clear, and the training can continue; tg_system_error says
 * ENOSPC on a full disk.  Where the size of files is limited (ulimit -f) the system sends SIGXFSZ first, which ends a
 * program that does not ignore it; one that does gets EFBIG. */
#ifndef TG_CHECKPOINT_H
#define TG_CHECKPOINT_H
#include "optim.h"
#include "state.h"
#ifdef __cplusplus
extern "C" {
#endif

/* opt may be NULL: weights and buffers only.  With one, its states and the random numbers of the tree of s, too. */
void tg_save(tg_scope *s, const char *path, tg_module *model, tg_optim *opt);
/* opt NULL: weights only, whatever else the file has.  An optimizer takes its rates, groups' options and schedule from
 * the file, and has to be of the file's kind, with as many groups. */
void tg_load(tg_scope *s, const char *path, tg_module *model, tg_optim *opt);

#ifdef __cplusplus
}
#endif
#endif
