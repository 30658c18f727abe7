/* data_file.h - the bytes of a file, plain or gzip, in order.  For the readers of data sets; nothing public.
 *
 * The first two bytes tell whether a file is gzip, not its name.  What is wrong with a file fails the scope with a
 * message that begins with its path; then reading yields nothing.  Files come from strangers: nothing is allocated
 * from a size that a file declares before the file is known to hold it. */
#ifndef TG_DATA_FILE_H
#define TG_DATA_FILE_H
#include "scope.h"
#include <zlib.h>

typedef struct {
    tg_scope *s;
    const char *path; /* the caller's; outlives the tg_file */
    int fd;
    uint64_t size, given; /* bytes on disk; bytes handed out */
    bool gzip, ended;
    z_stream z; /* z.next_in, z.avail_in: what of `in` is not used yet, plain files too */
    uint8_t in[1 << 15];
} tg_file;

bool tg_file_open(tg_file *f, tg_scope *s, const char *path); /* only regular files */
void tg_file_close(tg_file *f);                               /* a second time: nothing */
size_t tg_file_read(tg_file *f, void *to, size_t n);          /* fewer than n only at the end or on failure */
/* The most bytes that it can still give.  DEFLATE makes at most 1032 bytes of one; gzip is trusted with 1 GiB. */
uint64_t tg_file_most(const tg_file *f);
/* The next n > 0 bytes, in memory that lives as long as what is made in s; NULL if the file has fewer.  The memory
 * grows as the bytes arrive, and a size that the file cannot hold is refused at once. */
uint8_t *tg_file_take(tg_file *f, uint64_t n);
bool tg_file_end(tg_file *f); /* fails if there is more, or if gzip's checksum is wrong */

/* Memory that is given back with what is made in s; NULL and s failed if there is none. */
void *tg_file_memory(tg_scope *s, const char *path, uint64_t bytes);
#endif
