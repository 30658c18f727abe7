/* tensor_file_bytes.c - tg_read_at, with which every kind of file is read.  See tensor_file_kind.h. */
#include "tensor_file_kind.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool tg_read_at(tg_scope *s, const tg_tensor_file *f, uint64_t at, size_t n, void *to)
{
    for (size_t done = 0; tg_ok(s) && done < n;) {
        const ssize_t some = TEMP_FAILURE_RETRY(pread(f->reader->fd, (char *)to + done, n - done, (off_t)(at + done)));
        if (some < 0) tg_fail_system(s, errno, "%s: cannot be read: %s", f->path, strerror(errno));
        if (some == 0)
            tg_fail(s, "%s: ends after %llu bytes, want %llu: it was truncated after it was opened", f->path,
                    (unsigned long long)(at + done), (unsigned long long)(at + n));
        done += some > 0 ? (size_t)some : 0;
    }
    return tg_ok(s);
}
