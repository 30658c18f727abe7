/* file_out.h - writes a file atomically: it appears whole or not at all.  Private to lib and apps.
 *
 * Bytes go to PATH.part next to it, which is locked (flock), so that two processes cannot write PATH concurrently.
 * Committing is fsync of the file, rename over PATH, fsync of the directory: PATH holds either the old bytes or the new
 * ones at any moment.  EINTR and short writes are handled; any other error fails s with the path, the operation and
 * strerror, and removes PATH.part.
 *
 * A replaced file keeps its mode and, where the system allows it, its owner and group.  If PATH is a symbolic link, its
 * target is replaced, in the target's directory, and the link stays.  Other hard links to PATH keep the old bytes.
 *
 * Files of others are never touched.  While PATH.part is being written it has the sticky bit, which has no meaning on a
 * regular file: it marks the leftover of a killed process, which is removed.  Any other file of that name is left alone
 * (it may be the one being read), and PATH.part1, PATH.part2 ... is used instead. */
#ifndef TG_FILE_OUT_H
#define TG_FILE_OUT_H
#include "scope.h"

typedef struct {
    const char *path;    /* the caller's */
    char *target, *part; /* PATH with symbolic links resolved; "TARGET.part" */
    int fd;              /* -1: not open */
    unsigned mode;       /* the final mode of TARGET */
    uint64_t written;
} tg_file_out;

bool tg_out_begin(tg_scope *s, tg_file_out *f, const char *path);
bool tg_out_write(tg_scope *s, tg_file_out *f, const void *bytes, size_t n);
bool tg_out_rewrite(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes,
                    size_t n);                   /* overwrites bytes at `at` */
bool tg_out_commit(tg_scope *s, tg_file_out *f); /* closes f, even if it fails */
/* Writes a whole file: all of the above. */
bool tg_out_whole(tg_scope *s, const char *path, const void *bytes, size_t n);
void tg_out_abandon(tg_file_out *f); /* idempotent */
#endif
