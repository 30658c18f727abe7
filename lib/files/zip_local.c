/* zip_local.c - checks a ZIP member's local header and descriptor against the directory. */
#include "zip_parts.h"
#include "little_endian.h"
#include "tensor_file_kind.h"
#include <string.h>

enum { MAX_EXTRA = 4096, WIDE_FIELDS = 1 };

/* A zip64 field holds, in order, the values whose field in the header is all ones.  Some writers store all of them,
 * whatever the header holds (Python up to 3.11.3); then they must agree. */
static const char *wide_field(const uint8_t *at, size_t size, uint64_t *const field[], int fields)
{
    int missing = 0;
    for (int i = 0; i < fields; i++) missing += *field[i] == 0xffffffff;
    const bool every = missing < fields && size == 8 * (size_t)fields;
    if (!every && size < 8 * (size_t)missing) return "a zip64 field is too short";
    if (!every && size > 8 * (size_t)missing) return "a zip64 field is too long";
    for (int i = 0; i < fields; i++) {
        const bool here = *field[i] == 0xffffffff;
        if (!here && !every) continue;
        if (!here && *field[i] != tg_get_le(at, 8)) return "a zip64 field contradicts the header";
        *field[i] = tg_get_le(at, 8);
        at += 8;
    }
    return NULL;
}

const char *tg_zip_extra(const uint8_t *extra, size_t n, uint64_t *const field[], int fields, bool *wide)
{
    *wide = false;
    while (n > 0) {
        if (n < 4 || n - 4 < tg_get_le(extra + 2, 2)) return "malformed extra fields";
        const size_t size = (size_t)tg_get_le(extra + 2, 2);
        if (tg_get_le(extra, 2) == WIDE_FIELDS) {
            if (*wide) return "two zip64 fields";
            *wide = true;
            const char *const trouble = wide_field(extra + 4, size, field, fields);
            if (trouble) return trouble;
        }
        extra += 4 + size;
        n -= 4 + size;
    }
    return NULL;
}

/* With a descriptor, the header may hold zeros, as Python leaves them, or the directory's values. */
static bool agrees(const tg_zip_member *m, uint64_t crc, uint64_t packed, uint64_t size)
{
    const bool later = m->flags & TG_ZIP_DESCRIPTOR;
    return (crc == m->crc && packed == m->packed && size == m->size) || (later && !crc && !packed && !size);
}

static bool descriptor_agrees(tg_scope *s, const tg_tensor_file *f, const tg_zip_member *m, uint64_t at, int width)
{
    uint8_t d[24];
    if (!tg_read_at(s, f, at, (size_t)(8 + 2 * width), d)) return false;
    if (tg_get_le(d, 4) != 0x08074b50 || tg_get_le(d + 4, 4) != m->crc || tg_get_le(d + 8, width) != m->packed ||
        tg_get_le(d + 8 + width, width) != m->size)
        return tg_zip_refuse(s, f, m, "its data descriptor contradicts the directory");
    return true;
}

bool tg_zip_local(tg_scope *s, const tg_tensor_file *f, tg_zip_member *m, uint64_t *end)
{
    uint8_t head[TG_ZIP_LOCAL + TG_ZIP_MOST_NAME + MAX_EXTRA];
    if (!tg_read_at(s, f, m->header, TG_ZIP_LOCAL, head)) return false;
    const size_t name = (size_t)tg_get_le(head + 26, 2), extra = (size_t)tg_get_le(head + 28, 2);
    if (tg_get_le(head, 4) != 0x04034b50) return tg_zip_refuse(s, f, m, "its header is not where the directory says");
    if (name != m->length || extra > MAX_EXTRA)
        return tg_zip_refuse(s, f, m, "its header has another name, or more than 4 KiB of extra fields");
    if (!tg_read_at(s, f, m->header + TG_ZIP_LOCAL, name + extra, head + TG_ZIP_LOCAL)) return false;
    uint64_t packed = tg_get_le(head + 18, 4), size = tg_get_le(head + 22, 4);
    bool wide;
    uint64_t *const sizes[] = { &size, &packed };
    const char *const trouble = tg_zip_extra(head + TG_ZIP_LOCAL + name, extra, sizes, 2, &wide);
    if (trouble) return tg_zip_refuse(s, f, m, trouble);
    if (tg_get_le(head + 6, 2) != (uint64_t)m->flags || tg_get_le(head + 8, 2) != (uint64_t)m->method ||
        memcmp(head + TG_ZIP_LOCAL, m->name, name) || !agrees(m, tg_get_le(head + 14, 4), packed, size))
        return tg_zip_refuse(s, f, m, "its header contradicts the directory");
    m->data = m->header + TG_ZIP_LOCAL + name + extra;
    if (m->packed > f->reader->size || m->data > f->reader->size - m->packed)
        return tg_zip_refuse(s, f, m, "extends past the end of the file");
    *end = m->data + m->packed;
    if (!(m->flags & TG_ZIP_DESCRIPTOR)) return true;
    *end += wide ? 24 : 16;
    return descriptor_agrees(s, f, m, m->data + m->packed, wide ? 8 : 4);
}
