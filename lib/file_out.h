/* file_out.h - a file that appears whole or not at all.  Private to lib.
 *
 * Bytes go to PATH.part, locked (flock), so that no two processes write it at once and what a killed one left is used
 * again.  Committing is fsync of the file, rename over PATH, fsync of the folder: PATH holds the old bytes or the new ones
 * at every moment.  EINTR and short writes are gone on with; any other failure fails s with the path, what was tried and
 * the system's words, and PATH.part is removed. */
#ifndef TG_FILE_OUT_H
#define TG_FILE_OUT_H
#include "scope.h"

typedef struct {
    const char *path;                  /* the caller's */
    char       *part;                  /* "PATH.part" */
    int         fd;                    /* -1: nothing is open */
    uint64_t    written;
} tg_file_out;

bool tg_out_begin  (tg_scope *s, tg_file_out *f, const char *path);
bool tg_out_write  (tg_scope *s, tg_file_out *f, const void *bytes, size_t n);
bool tg_out_rewrite(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n);    /* what was written there */
bool tg_out_commit (tg_scope *s, tg_file_out *f);      /* f is closed afterwards, whatever happens */
void tg_out_abandon(tg_file_out *f);                   /* a second time: nothing */
#endif
