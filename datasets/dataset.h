/* dataset.h - shared by the readers of data sets.  Private. */
#ifndef TG_DATASET_H
#define TG_DATASET_H
#include "datasets.h"

enum { TG_MAX_SIDE = 1 << 14 }; /* of an image, in pixels */

/* Checks d and copies it into s; NULL: it is not valid, and s has failed.  `where` (a file, a folder) starts the
 * message. */
tg_dataset *tg_dataset_keep(tg_scope *s, const tg_dataset *d, const char *where);
bool tg_dataset_sound(tg_scope *s, const tg_dataset *d, const char *where); /* checks all but the labels */
void tg_dataset_measure(tg_dataset *d);                      /* computes mean and deviation of d's images */
const char *const *tg_digit_names(tg_scope *s, int classes); /* "0", "1", ... */

bool tg_is_file(const char *folder, const char *name);                  /* folder/name exists */
const char *tg_path(tg_scope *s, const char *folder, const char *name); /* folder/name, in s; NULL: s has failed */

/* Folders of IDX files, images [count, h, w] and labels [count]. */
bool tg_idx_folder(const char *folder, tg_split split); /* has the split's images */
bool tg_idx_holds(tg_scope *s, const char *folder);
bool tg_idx_load(tg_scope *s, const char *folder, tg_split split, tg_dataset *d); /* sets images, labels, sizes of d */
tg_dataset *tg_idx_open(tg_scope *s, const char *folder, tg_split split);         /* any folder of this kind */
bool tg_cifar10_folder(tg_scope *s, const char *folder); /* it, or the archive's folder in it, has the files */
bool tg_cifar100_folder(tg_scope *s, const char *folder);

extern const char *const tg_fashion_names[10];
extern const char *const tg_cifar10_names[10];
extern const char *const tg_cifar100_names[100];
#endif
