/* names.h - the names that the command line knows, from the lists that define them: networks.def, datasets.def,
 * optimizers.def, commands.def.  --help and the completion ask here. */
#ifndef TG_APPS_NAMES_H
#define TG_APPS_NAMES_H
#include <tilegrad/tilegrad.h>

/* Each ends with NULL. */
extern const char *const names_networks[], *const names_datasets[], *const names_optimizers[], *const names_commands[];

/* "sgd, adam or adamw" of such a list; `last`, which stands before the last one, is " or " or ", ".  From malloc; NULL:
 * no memory. */
char *names_text(const char *const *names, const char *last);
/* argp's help_filter: in texts of --help {networks} stands for the networks' names, and so on; {commands} for a line
 * each. */
char *names_help(int key, const char *text, void *input);
/* `tilegrad --list networks` prints a line for each name, for the completion; false: there is no such list. */
bool names_print(const char *list);

typedef enum {
#define OPTIMIZER(name, config, lr, decay) OPTIMIZER_##name,
#include "optimizers.def"
} optimizer_kind;
tg_optim *optimizer_new(tg_scope *root, tg_module *net, optimizer_kind kind, float lr, float momentum, float decay);
float optimizer_lr(optimizer_kind kind); /* where none is given */
float optimizer_decay(optimizer_kind kind);
#endif
