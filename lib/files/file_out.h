/* file_out.h - a file that appears whole or not at all.  Private to lib and apps.
 *
 * Bytes go to a file beside it, PATH.part, which is locked (flock), so that no two processes write PATH at once.
 * Committing is fsync of the file, rename over PATH, fsync of the folder: PATH holds the old bytes or the new ones at
 * every moment.  EINTR and short writes are handled; any other failure fails s with the path, what was tried and the
 * system's words, and removes PATH.part.
 *
 * A file that is replaced keeps its mode and, where the system allows it, its owner and group.  If PATH is a symbolic
 * link, the file it points to is replaced, in its folder, and the link stays.  Of several hard links only PATH is
 * replaced.
 *
 * Nobody else's file is touched.  While PATH.part is being written it has the sticky bit, which means nothing for a
 * file: so what a killed process left is recognised, and removed.  Any other file of that name stays as it is (it may
 * be what is being read), and PATH.part1, PATH.part2 ... is used instead. */
#ifndef TG_FILE_OUT_H
#define TG_FILE_OUT_H
#include "scope.h"

typedef struct {
    const char *path;    /* the caller's */
    char *target, *part; /* what PATH points to, which may be PATH; "TARGET.part" */
    int fd;              /* -1: nothing is open */
    unsigned mode;       /* that TARGET has afterwards */
    uint64_t written;
} tg_file_out;

bool tg_out_begin(tg_scope *s, tg_file_out *f, const char *path);
bool tg_out_write(tg_scope *s, tg_file_out *f, const void *bytes, size_t n);
bool tg_out_rewrite(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n); /* what was written there */
bool tg_out_commit(tg_scope *s, tg_file_out *f); /* f is closed afterwards, whatever happens */
/* A whole file of these bytes: all of the above. */
bool tg_out_whole(tg_scope *s, const char *path, const void *bytes, size_t n);
void tg_out_abandon(tg_file_out *f); /* a second time: nothing */
#endif
