/* data_file.h - sequential reading of a plain or gzip file, for the readers of data sets.  Private.
 *
 * gzip is recognised by the first two bytes, not by the name.  Errors fail the scope with a message that starts with
 * the path; from then on reads return nothing.  Files are untrusted: nothing is allocated by a declared size before the
 * file is known to hold that much. */
#ifndef TG_DATA_FILE_H
#define TG_DATA_FILE_H
#include "scope.h"
#include <zlib.h>

typedef struct {
    tg_scope *s;
    const char *path; /* the caller's; outlives the tg_file */
    int fd;
    uint64_t size, given; /* bytes on disk; bytes returned so far */
    bool gzip, ended;
    z_stream z; /* z.next_in, z.avail_in: the unread part of `in`, for plain files, too */
    uint8_t in[1 << 15];
} tg_file;

bool tg_file_open(tg_file *f, tg_scope *s, const char *path); /* refuses anything but regular files */
void tg_file_close(tg_file *f);                               /* idempotent */
size_t tg_file_read(tg_file *f, void *to, size_t n);          /* fewer than n only at the end or on failure */
/* An upper bound for the bytes left.  DEFLATE expands a byte to at most 1032; gzip files are limited to 1 GiB. */
uint64_t tg_file_most(const tg_file *f);
/* Reads the next n > 0 bytes into memory that s owns; NULL if the file has fewer.  The memory grows as bytes arrive; a
 * size that the file cannot hold is refused before anything is allocated. */
uint8_t *tg_file_take(tg_file *f, uint64_t n);
bool tg_file_end(tg_file *f); /* fails if bytes are left, or if gzip's checksum is wrong */

/* Memory that s owns; NULL: out of memory, and s has failed. */
void *tg_file_memory(tg_scope *s, const char *path, uint64_t bytes);
#endif
