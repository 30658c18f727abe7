/* checkpoints.h - the checkpoints in a training's folder: last.safetensors and ckpt-00001234.safetensors. */
#ifndef TG_APPS_CHECKPOINTS_H
#define TG_APPS_CHECKPOINTS_H
#include <tilegrad/tilegrad.h>

#define LAST_NAME "last.safetensors"
#define BEST_NAME "best.safetensors"

typedef struct {
    const char *path;
    bool numbered;          /* not last.safetensors */
    int64_t step;           /* as the file says; if it cannot be read, as its name says */
    const char *unreadable; /* what is wrong with its table of contents; NULL: nothing */
} checkpoint;

typedef struct {
    checkpoint *file;
    int n;
} checkpoints;

/* Only what is in a file makes it a damaged one.  Where the system refuses to read (permissions, a broken disk,
 * memory), nobody knows what is in it, and s fails.
 *
 * Those in a folder, the newest first; last.safetensors comes before others of the same step, and before all if it
 * is damaged.  A folder that is not there has none. */
checkpoints checkpoints_in(tg_scope *s, const char *folder);
/* The whole number, of `least` .. INT64_MAX / 2, that a file's metadata have for `key`; false if they have none. */
bool checkpoint_number(const tg_tensor_file *f, const char *key, int64_t least, int64_t *value);
/* Reads all of a file and compares checksums.  NULL: it is whole, and a training can go on from it; else why not; s has
 * failed if that is the system's fault. */
const char *checkpoint_trouble(tg_scope *s, const char *path);
typedef struct {
    char text[64];
} checkpoint_name;
const char *checkpoint_name_of(int64_t step, checkpoint_name *name); /* "ckpt-00001234.safetensors" */
/* Removes numbered files of steps up to `step`, but for the newest `keep` of them. */
void checkpoints_prune(tg_scope *s, const char *folder, int64_t step, int64_t keep);
/* Removes the oldest of these if a training can go on from another file of the folder.  Its path, in s; NULL: none was
 * removed. */
const char *checkpoints_drop(tg_scope *s, const char *folder, int64_t step);
/* Removes all of these and best.safetensors, without a look into them. */
void checkpoints_remove(tg_scope *s, const char *folder);
/* Removes what killed processes left of numbered files: "ckpt-00001234.safetensors.part", ".part1" ... */
void checkpoints_sweep(const char *folder);
#endif
