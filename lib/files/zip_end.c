/* zip_end.c - finds a ZIP file's directory by the records at the end of the file. */
#include "zip_parts.h"
#include "little_endian.h"
#include "system.h"
#include "tensor_file_kind.h"
#include <string.h>

enum { END = 22, LOCATOR = 20, END64 = 56, MAX_COMMENT = 0xffff };

static bool refuse(tg_scope *s, const tg_tensor_file *f, const char *trouble)
{
    tg_fail(s, "%s: %s", f->path, trouble);
    return false;
}

/* Reads the zip64 end record; each field of the plain one that is not all ones must agree with it. */
static bool read_end64(tg_scope *s, const tg_tensor_file *f, const uint8_t *locator, const uint8_t *end, tg_zip_end *e)
{
    const uint64_t locator_at = e->end - LOCATOR;
    uint8_t r[END64];
    if (locator_at < END64 || tg_get_le(locator + 8, 8) != locator_at - END64)
        return refuse(s, f, "its zip64 locator does not point to the record in front of it");
    if (!tg_read_at(s, f, locator_at - END64, END64, r)) return false;
    if (tg_get_le(r, 4) != 0x06064b50 || tg_get_le(r + 4, 8) != END64 - 12)
        return refuse(s, f, "has a malformed zip64 record");
    if (tg_get_le(r + 16, 8) != 0 || tg_get_le(locator + 4, 4) != 0 || tg_get_le(locator + 16, 4) != 1)
        return refuse(s, f, "is part of a multi-disk archive");
    *e = (tg_zip_end){ tg_get_le(r + 32, 8), tg_get_le(r + 40, 8), tg_get_le(r + 48, 8), locator_at - END64 };
    const uint64_t n = tg_get_le(end + 10, 2), size = tg_get_le(end + 12, 4), at = tg_get_le(end + 16, 4);
    if (tg_get_le(r + 24, 8) != e->n || tg_get_le(end + 8, 2) != n || (n != 0xffff && n != e->n) ||
        (size != 0xffffffff && size != e->bytes) || (at != 0xffffffff && at != e->at))
        return refuse(s, f, "its two end records contradict each other");
    return true;
}

/* Finds the last end record.  Its comment must reach exactly to the end of the file, so that the comment cannot hide
 * another end record, which another reader would use. */
static bool locate_end(tg_scope *s, const tg_tensor_file *f, uint64_t *at)
{
    static const uint8_t mark[4] = { 'P', 'K', 5, 6 };
    const uint64_t size = f->reader->size;
    if (size < END) return refuse(s, f, "is too short for a ZIP file");
    const size_t n = size < END + MAX_COMMENT ? (size_t)size : END + MAX_COMMENT;
    uint8_t *const tail = tg_system_alloc(n);
    if (!tail) return refuse(s, f, "out of memory: the end of a ZIP file");
    const uint8_t *last = NULL, *here = tail;
    if (tg_read_at(s, f, size - n, n, tail))
        for (; (here = memmem(here, n - (size_t)(here - tail), mark, sizeof mark)); here++) last = here;
    const size_t left = last ? n - (size_t)(last - tail) : 0;
    const bool good = left >= END && tg_get_le(last + 20, 2) == left - END;
    *at = size - left;
    tg_system_free(tail);
    return tg_ok(s) && (good || refuse(s, f, "does not end in a ZIP directory: it was cut off, or something follows"));
}

static bool read_end(tg_scope *s, const tg_tensor_file *f, tg_zip_end *e)
{
    uint8_t end[END], locator[LOCATOR];
    if (!locate_end(s, f, &e->end) || !tg_read_at(s, f, e->end, END, end)) return false;
    if (tg_get_le(end + 4, 4) != 0) return refuse(s, f, "is part of a multi-disk archive");
    if (e->end >= LOCATOR) {
        if (!tg_read_at(s, f, e->end - LOCATOR, LOCATOR, locator)) return false;
        if (tg_get_le(locator, 4) == 0x07064b50) return read_end64(s, f, locator, end, e);
    }
    *e = (tg_zip_end){ tg_get_le(end + 10, 2), tg_get_le(end + 12, 4), tg_get_le(end + 16, 4), e->end };
    return tg_get_le(end + 8, 2) == e->n || refuse(s, f, "is part of a multi-disk archive");
}

bool tg_zip_find_end(tg_scope *s, const tg_tensor_file *f, tg_zip_end *e)
{
    if (!read_end(s, f, e)) return false;
    if (e->bytes > e->end || e->at != e->end - e->bytes) return refuse(s, f, "its directory is not where its end says");
    if (e->bytes > TG_MOST_HEADER) return refuse(s, f, "has a directory of more than 16 MiB");
    if (e->n > e->bytes / TG_ZIP_ENTRY) return refuse(s, f, "has more members than its directory can hold");
    return true;
}
