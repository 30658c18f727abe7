/* npz_write.c - writes a .npz of stored members, as np.savez does.
 *
 * A member's header is written before its data, with 0 for the CRC-32, which is filled in after the last byte.  zip64
 * fields are used only where 32 bits do not suffice. */
#include "little_endian.h"
#include "npy.h"
#include "system.h"
#include "tensor_file_kind.h"
#include <string.h>
#include <zlib.h>

enum { LOCAL = 30, ENTRY = 46, WIDE = 32, END = 22, END64 = 56, LOCATOR = 20, CRC_AT = 14 }; /* bytes */
enum { UTF8 = 1 << 11, DATE = 1 << 5 | 1 /* 1980-01-01 */, VERSION = 20, VERSION_WIDE = 45 };

typedef struct {
    uint64_t header, size;
    uint32_t crc;
} member; /* w->own: [w->n] */

static bool begin(tg_scope *s, tg_tensor_writer *w)
{
    for (int i = 0; i < w->n; i++) {
        tg_name_text text;
        if (tg_npy_dtype(w->tensor[i].dtype)) continue;
        tg_fail(s, "%s: %s is %s, which NumPy's files cannot hold: convert it to F32, or write safetensors", w->path,
                tg_printable(w->tensor[i].name, &text), w->tensor[i].dtype);
        return false;
    }
    w->own = tg_system_alloc(sizeof(member) * (size_t)w->n);
    if (!w->own) tg_fail(s, "%s: out of memory: a table of %d members", w->path, w->n);
    return w->own;
}

/* ---- a member ---- */

/* The fields that the local and the directory header share, from the flags to the length of the name. */
static void put_common(uint8_t to[22], const tg_file_tensor *t, const member *m)
{
    bool ascii = true;
    for (const char *c = t->name; *c; c++) ascii = ascii && !(*c & 0x80);
    const uint64_t size = m->size < 0xffffffff ? m->size : 0xffffffff;
    tg_put_le(to, 2, ascii ? 0 : UTF8);
    tg_put_le(to + 2, 2, 0); /* stored */
    tg_put_le(to + 4, 2, 0);
    tg_put_le(to + 6, 2, DATE);
    tg_put_le(to + 8, 4, m->crc);
    tg_put_le(to + 12, 4, size);
    tg_put_le(to + 16, 4, size);
    tg_put_le(to + 20, 2, strlen(t->name) + 4);
}

/* Writes the zip64 extra field for values that exceed 32 bits; returns its length, 0 if none does. */
static size_t put_wide(uint8_t to[WIDE], const member *m, bool with_place)
{
    size_t n = 4;
    if (m->size >= 0xffffffff) {
        tg_put_le(to + 4, 8, m->size);
        tg_put_le(to + 12, 8, m->size);
        n += 16;
    }
    if (with_place && m->header >= 0xffffffff) {
        tg_put_le(to + n, 8, m->header);
        n += 8;
    }
    tg_put_le(to, 2, 1);
    tg_put_le(to + 2, 2, n - 4);
    return n > 4 ? n : 0;
}

static bool put_name(tg_scope *s, tg_tensor_writer *w, const char *name)
{
    return tg_out_write(s, &w->out, name, strlen(name)) && tg_out_write(s, &w->out, ".npy", 4);
}

/* Writes the ZIP and the .npy header of tensor w->now. */
static bool begin_member(tg_scope *s, tg_tensor_writer *w, member *m)
{
    const tg_file_tensor *const t = &w->tensor[w->now];
    char npy[TG_NPY_MOST_HEADER];
    uint8_t head[LOCAL], wide[WIDE];
    const size_t length = tg_npy_make_header(t, npy);
    *m = (member){ .header = w->out.written, .size = length + t->bytes };
    const size_t extra = put_wide(wide, m, false);
    tg_put_le(head, 4, 0x04034b50);
    tg_put_le(head + 4, 2, extra ? VERSION_WIDE : VERSION);
    put_common(head + 6, t, m);
    tg_put_le(head + 28, 2, extra);
    m->crc = (uint32_t)crc32_z(0, (const uint8_t *)npy, length);
    return tg_out_write(s, &w->out, head, LOCAL) && put_name(s, w, t->name) && tg_out_write(s, &w->out, wide, extra) &&
           tg_out_write(s, &w->out, npy, length);
}

static bool end_member(tg_scope *s, tg_tensor_writer *w, const member *m)
{
    uint8_t crc[4];
    tg_put_le(crc, 4, m->crc);
    return tg_out_rewrite(s, &w->out, m->header + CRC_AT, crc, sizeof crc);
}

static bool write_bytes(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n)
{
    member *const m = (member *)w->own + w->now;
    if (w->done == 0 && !begin_member(s, w, m)) return false;
    if (n > 0) m->crc = (uint32_t)crc32_z(m->crc, bytes, n);
    return tg_out_write(s, &w->out, bytes, n) && (w->done + n < w->tensor[w->now].bytes || end_member(s, w, m));
}

/* ---- the directory ---- */

static bool put_entry(tg_scope *s, tg_tensor_writer *w, const tg_file_tensor *t, const member *m)
{
    uint8_t entry[ENTRY] = { 0 }, wide[WIDE];
    const size_t extra = put_wide(wide, m, true);
    tg_put_le(entry, 4, 0x02014b50);
    tg_put_le(entry + 4, 2, VERSION_WIDE);
    tg_put_le(entry + 6, 2, extra ? VERSION_WIDE : VERSION);
    put_common(entry + 8, t, m);
    tg_put_le(entry + 30, 2, extra);
    tg_put_le(entry + 42, 4, m->header < 0xffffffff ? m->header : 0xffffffff);
    return tg_out_write(s, &w->out, entry, ENTRY) && put_name(s, w, t->name) && tg_out_write(s, &w->out, wide, extra);
}

static bool put_end64(tg_scope *s, tg_tensor_writer *w, uint64_t at, uint64_t end)
{
    uint8_t to[END64 + LOCATOR] = { 0 }, *const locator = to + END64;
    tg_put_le(to, 4, 0x06064b50);
    tg_put_le(to + 4, 8, END64 - 12);
    tg_put_le(to + 12, 2, VERSION_WIDE);
    tg_put_le(to + 14, 2, VERSION_WIDE);
    tg_put_le(to + 24, 8, (uint64_t)w->n);
    tg_put_le(to + 32, 8, (uint64_t)w->n);
    tg_put_le(to + 40, 8, end - at);
    tg_put_le(to + 48, 8, at);
    tg_put_le(locator, 4, 0x07064b50);
    tg_put_le(locator + 8, 8, end);
    tg_put_le(locator + 16, 4, 1);
    return tg_out_write(s, &w->out, to, sizeof to);
}

static bool finish(tg_scope *s, tg_tensor_writer *w)
{
    const uint64_t at = w->out.written;
    for (int i = 0; i < w->n; i++)
        if (!put_entry(s, w, &w->tensor[i], (const member *)w->own + i)) return false;
    const uint64_t end = w->out.written, few = w->n < 0xffff ? (uint64_t)w->n : 0xffff;
    if (end - at > TG_MOST_HEADER) {
        tg_fail(s, "%s: too many tensors: their names take more than 16 MiB", w->path);
        return false;
    }
    if ((w->n >= 0xffff || at >= 0xffffffff) && !put_end64(s, w, at, end)) return false;
    uint8_t to[END] = { 0 };
    tg_put_le(to, 4, 0x06054b50);
    tg_put_le(to + 8, 2, few);
    tg_put_le(to + 10, 2, few);
    tg_put_le(to + 12, 4, end - at);
    tg_put_le(to + 16, 4, at < 0xffffffff ? at : 0xffffffff);
    return tg_out_write(s, &w->out, to, END);
}

static void close_npz(tg_tensor_writer *w)
{
    tg_system_free(w->own);
    w->own = NULL;
}

const tg_file_writer_kind tg_npz_writer = { begin, write_bytes, finish, close_npz };
