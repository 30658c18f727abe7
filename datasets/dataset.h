/* dataset.h - what the readers of data sets share; nothing public. */
#ifndef TG_DATASET_H
#define TG_DATASET_H
#include "datasets.h"

enum { TG_MAX_SIDE = 1 << 14 }; /* of an image, in pixels */

/* A copy of d in s, after a look at all its numbers; NULL and s failed if something cannot be.  `where` (a file, a
 * folder) begins the message. */
tg_dataset *tg_dataset_keep(tg_scope *s, const tg_dataset *d, const char *where);
bool tg_dataset_sound(tg_scope *s, const tg_dataset *d, const char *where); /* all but the labels */
void tg_dataset_measure(tg_dataset *d);                      /* mean and deviation, from the images of d */
const char *const *tg_digit_names(tg_scope *s, int classes); /* "0", "1", ... */

bool tg_is_file(const char *folder, const char *name);                  /* folder/name can be read */
const char *tg_path(tg_scope *s, const char *folder, const char *name); /* folder/name, in s; NULL */

/* A folder of IDX files, [count, h, w] and [count]: images, labels and sizes of d. */
bool tg_idx_folder(const char *folder, tg_split split); /* looks like one */
bool tg_idx_load(tg_scope *s, const char *folder, tg_split split, tg_dataset *d);
tg_dataset *tg_idx_open(tg_scope *s, const char *folder, tg_split split); /* any folder of this kind */
bool tg_cifar10_folder(tg_scope *s, const char *folder);                  /* itself, or the archive's folder in it */
bool tg_cifar100_folder(tg_scope *s, const char *folder);

extern const char *const tg_fashion_names[10];
extern const char *const tg_cifar10_names[10];
extern const char *const tg_cifar100_names[100];
#endif
