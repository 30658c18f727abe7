/* checkpoints.h - the checkpoints in a training run's folder: last.safetensors and ckpt-00001234.safetensors. */
#ifndef TG_APPS_CHECKPOINTS_H
#define TG_APPS_CHECKPOINTS_H
#include <tilegrad/tilegrad.h>

#define LAST_NAME "last.safetensors"
#define BEST_NAME "best.safetensors"

typedef struct {
    const char *path;
    bool numbered;          /* not last.safetensors */
    int64_t step;           /* from the file; from its name if it can't be read */
    const char *unreadable; /* what is wrong with its header; NULL: nothing */
} checkpoint;

typedef struct {
    checkpoint *file;
    int n;
} checkpoints;

/* A file is damaged only by its contents.  If the system refuses to read it (permissions, a failing disk, memory), its
 * state is unknown and s fails.
 *
 * Lists a folder's checkpoints, newest first; last.safetensors comes before others of the same step, and before all
 * others if it is damaged.  A missing folder has none. */
checkpoints checkpoints_in(tg_scope *s, const char *folder);
/* The metadata value of `key`, a whole number from `least` to INT64_MAX / 2; false if there is none. */
bool checkpoint_number(const tg_tensor_file *f, const char *key, int64_t least, int64_t *value);
/* Reads a whole file and verifies its checksums.  NULL: it is intact and training can resume from it; otherwise why
 * not.  System errors fail s. */
const char *checkpoint_trouble(tg_scope *s, const char *path);
typedef struct {
    char text[64];
} checkpoint_name;
const char *checkpoint_name_of(int64_t step, checkpoint_name *name); /* "ckpt-00001234.safetensors" */
/* Removes numbered files of steps up to `step`, except the newest `keep`. */
void checkpoints_prune(tg_scope *s, const char *folder, int64_t step, int64_t keep);
/* Removes the oldest of these if training can resume from another file of the folder.  Returns its path, in s; NULL:
 * nothing was removed. */
const char *checkpoints_drop(tg_scope *s, const char *folder, int64_t step);
/* Removes all of these and best.safetensors, without reading them. */
void checkpoints_remove(tg_scope *s, const char *folder);
/* Removes partial numbered files that killed processes left: "ckpt-00001234.safetensors.part", ".part1" ... */
void checkpoints_sweep(const char *folder);
#endif
