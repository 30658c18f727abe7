/* zip.c - reads and checks the directory of a ZIP file.  See zip.h. */
#include "zip_parts.h"
#include "little_endian.h"
#include "system.h"
#include "tensor_file_kind.h"
#include <stdlib.h>
#include <string.h>

enum {
    KNOWN_FLAGS = 1 << 1 | 1 << 2 | TG_ZIP_DESCRIPTOR | TG_ZIP_UTF8,
    ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13,
    MAX_EXPANSION = 1032 /* by deflate */
};

static const char *name_trouble(const tg_zip_member *m)
{
    bool ascii = true;
    for (size_t i = 0; i < m->length; i++) ascii = ascii && !(m->name[i] & 0x80);
    return ascii || m->flags & TG_ZIP_UTF8 ? NULL : "its name is neither ASCII nor flagged as UTF-8";
}

static const char *member_trouble(const tg_zip_member *m)
{
    if (m->flags & ENCRYPTED) return "is encrypted";
    if (m->flags & ~KNOWN_FLAGS) return "has unknown flags";
    if (m->method != TG_ZIP_STORED && m->method != TG_ZIP_DEFLATED)
        return "is compressed by a method other than deflate";
    if (m->method == TG_ZIP_STORED && m->packed != m->size) return "is stored, but its two sizes differ";
    if (m->size / MAX_EXPANSION > m->packed) return "declares more bytes than its compressed ones can inflate to";
    return name_trouble(m);
}

static size_t malformed(tg_scope *s, const tg_tensor_file *f)
{
    tg_fail(s, "%s: has a malformed ZIP directory", f->path);
    return 0;
}

/* Reads the entry at `from`, where `left` bytes are left.  Returns its length; 0: s has failed. */
static size_t read_entry(tg_scope *s, const tg_tensor_file *f, const uint8_t *from, size_t left, tg_zip_member *m)
{
    if (left < TG_ZIP_ENTRY || tg_get_le(from, 4) != 0x02014b50) return malformed(s, f);
    const size_t name = (size_t)tg_get_le(from + 28, 2), extra = (size_t)tg_get_le(from + 30, 2);
    const size_t all = TG_ZIP_ENTRY + name + extra + (size_t)tg_get_le(from + 32, 2);
    if (all > left || name > TG_ZIP_MOST_NAME) return malformed(s, f);
    if (!(m->name = tg_alloc(s, name + 1))) return 0;
    memcpy(m->name, from + TG_ZIP_ENTRY, name);
    m->length = name;
    m->flags = (int)tg_get_le(from + 8, 2);
    m->method = (int)tg_get_le(from + 10, 2);
    m->crc = (uint32_t)tg_get_le(from + 16, 4);
    m->packed = tg_get_le(from + 20, 4);
    m->size = tg_get_le(from + 24, 4);
    m->header = tg_get_le(from + 42, 4);
    bool wide;
    const char *trouble = tg_zip_extra(from + TG_ZIP_ENTRY + name, extra,
                                       (uint64_t *const[]){ &m->size, &m->packed, &m->header }, 3, &wide);
    if (!trouble && tg_get_le(from + 34, 2) != 0) trouble = "is on another disk";
    if (!trouble) m->trouble = member_trouble(m);
    return !trouble || tg_zip_refuse(s, f, m, trouble) ? all : 0;
}

static bool read_entries(tg_scope *s, const tg_tensor_file *f, const tg_zip_end *e, const uint8_t *directory,
                         tg_zip_member *m)
{
    size_t at = 0;
    for (uint64_t i = 0; i < e->n; i++) {
        const size_t taken = read_entry(s, f, directory + at, (size_t)e->bytes - at, &m[i]);
        if (!taken) return false;
        at += taken;
    }
    return at == e->bytes || malformed(s, f);
}

static int by_place(const void *a, const void *b)
{
    const tg_zip_member *const p = a, *const q = b;
    return (p->header > q->header) - (p->header < q->header);
}

/* Whether the members are contiguous from the first byte of the file to the directory. */
static bool are_contiguous(tg_scope *s, const tg_tensor_file *f, const tg_zip_end *e, tg_zip_member *m)
{
    uint64_t at = 0;
    qsort(m, (size_t)e->n, sizeof *m, by_place);
    for (uint64_t i = 0; i < e->n; i++) {
        if (m[i].header < at) return tg_zip_refuse(s, f, &m[i], "overlaps the member before it");
        if (m[i].header > at) return tg_zip_refuse(s, f, &m[i], "bytes before it belong to no member");
        if (!tg_zip_local(s, f, &m[i], &at)) return false;
    }
    if (at == e->at) return true;
    tg_fail(s, "%s: %s", f->path,
            at > e->at ? "its last member overlaps its directory" : "bytes before its directory belong to no member");
    return false;
}

bool tg_zip_members(tg_scope *s, const tg_tensor_file *f, tg_zip_member **member, int *n)
{
    tg_zip_end e;
    if (!tg_zip_find_end(s, f, &e)) return false;
    uint8_t *const directory = tg_system_alloc((size_t)e.bytes);
    if (!directory) tg_fail(s, "%s: out of memory: a directory of %llu bytes", f->path, (unsigned long long)e.bytes);
    *member = tg_alloc(s, sizeof **member * ((size_t)e.n + 1));
    *n = (int)e.n;
    const bool good =
        *member && tg_read_at(s, f, e.at, (size_t)e.bytes, directory) && read_entries(s, f, &e, directory, *member);
    tg_system_free(directory);
    return good && are_contiguous(s, f, &e, *member);
}
