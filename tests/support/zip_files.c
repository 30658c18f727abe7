/* zip_files.c - builds ZIP files byte by byte.  See zip_files.h. */
#include "zip_files.h"
#include "little_endian.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static void put(blob *b, int bytes, uint64_t value)
{
    assert_true(b->n + 8 <= BLOB_ROOM);
    tg_put_le(b->at + b->n, bytes, value);
    b->n += (size_t)bytes;
}

static void put_bytes(blob *b, const void *from, size_t n)
{
    assert_true(b->n + n <= BLOB_ROOM);
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

blob npy_make(const char *dict, size_t data)
{
    blob b = { 0 };
    const size_t whole = (10 + strlen(dict) + 1 + 63) / 64 * 64;
    put_bytes(&b, "\x93NUMPY\1", 8);
    put(&b, 2, whole - 10);
    put_bytes(&b, dict, strlen(dict));
    while (b.n + 1 < whole) put(&b, 1, ' ');
    put(&b, 1, '\n');
    for (size_t i = 0; i < data; i++) put(&b, 1, (uint8_t)(i * 7 + 3));
    return b;
}

static blob content(const zip_member *m)
{
    char dict[96];
    blob b = { 0 };
    snprintf(dict, sizeof dict, "{'descr': '|u1', 'fortran_order': False, 'shape': (%u,), }", m->data);
    if (!m->raw) return npy_make(m->dict ? m->dict : dict, m->data);
    put_bytes(&b, m->raw, strlen(m->raw));
    return b;
}

static blob deflated(const blob *from)
{
    blob b = { 0 };
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)from->at;
    z.avail_in = (uInt)from->n;
    z.next_out = b.at;
    z.avail_out = BLOB_ROOM;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b.n = z.total_out;
    deflateEnd(&z);
    return b;
}

typedef struct {
    uint64_t place, packed, size, crc;
} numbers;

static void put_common(blob *b, const zip_member *m, uint64_t crc, uint64_t packed, uint64_t size)
{
    put(b, 2, (uint64_t)((m->descriptor ? 8 : 0) + m->flags));
    put(b, 2, (uint64_t)((m->deflated ? 8 : 0) + m->method));
    put(b, 4, 0x21 << 16); /* 1980-01-01 */
    put(b, 4, crc);
    put(b, 4, packed);
    put(b, 4, size);
}

static void put_member(blob *b, const zip_member *m, numbers *v)
{
    const blob plain = content(m), packed = m->deflated ? deflated(&plain) : plain;
    const char *const name = m->local_name ? m->local_name : m->name;
    for (int i = 0; i < m->gap; i++) put(b, 1, 0);
    *v = (numbers){ b->n, packed.n + (size_t)m->after + (uint64_t)m->packed, plain.n + (uint64_t)m->size,
                    crc32(0, plain.at, (uInt)plain.n) };
    const uint64_t said = m->streamed ? 0 : v->packed + (uint64_t)m->local, size = m->streamed ? 0 : v->size;
    put(b, 4, 0x04034b50);
    put(b, 2, 20);
    put_common(b, m, m->streamed ? 0 : v->crc, m->wide ? 0xffffffff : said, m->wide ? 0xffffffff : size);
    put(b, 2, strlen(name));
    put(b, 2, m->wide || m->twice ? 20 : 0);
    put_bytes(b, name, strlen(name));
    if (m->wide || m->twice) {
        put(b, 4, 1 | 16 << 16);
        put(b, 8, size);
        put(b, 8, m->twice ? said + (uint64_t)m->twice - 1 : said);
    }
    put_bytes(b, packed.at, packed.n);
    for (int i = 0; i < m->after; i++) put(b, 1, 0);
    if (!m->descriptor) return;
    put(b, 4, 0x08074b50);
    put(b, 4, v->crc);
    put(b, m->wide ? 8 : 4, v->packed);
    put(b, m->wide ? 8 : 4, v->size);
}

static void put_entry(blob *b, const zip_member *m, const numbers *v)
{
    put(b, 4, 0x02014b50);
    put(b, 4, 20 | 20 << 16);
    put_common(b, m, v->crc + (uint64_t)m->crc, v->packed, v->size);
    put(b, 2, strlen(m->name));
    put(b, 2, m->extra ? 8 : 0);
    put(b, 2, 0);
    put(b, 2, (uint64_t)m->disk);
    put(b, 6, 0);
    put(b, 4, v->place + (uint64_t)m->place);
    put_bytes(b, m->name, strlen(m->name));
    if (m->extra) put_bytes(b, m->extra, 8);
}

static void put_end64(blob *b, uint64_t members, uint64_t place, const zip_end *end)
{
    const uint64_t at = b->n;
    put(b, 4, 0x06064b50);
    put(b, 8, 44);
    put(b, 4, 45 | 45 << 16);
    put(b, 8, 0);
    put(b, 8, members);
    put(b, 8, members);
    put(b, 8, at - place + (uint64_t)end->wide_bytes);
    put(b, 8, place);
    put(b, 4, 0x07064b50);
    put(b, 4, 0);
    put(b, 8, at + (uint64_t)end->wide_at);
    put(b, 4, 1);
}

blob zip_make(const zip_member *m, int n, zip_end end)
{
    blob b = { 0 };
    numbers v[8];
    assert_true(n <= 8);
    for (int i = 0; i < n; i++) put_member(&b, &m[i], &v[i]);
    for (int i = 0; i < end.gap; i++) put(&b, 1, 0);
    const uint64_t place = b.n;
    for (int i = 0; i < n; i++) put_entry(&b, &m[i], &v[i]);
    const uint64_t bytes = b.n - place;
    if (end.wide) put_end64(&b, (uint64_t)n, place, &end);
    put(&b, 4, 0x06054b50);
    put(&b, 4, (uint64_t)end.disk);
    put(&b, 2, (uint64_t)(n + end.members));
    put(&b, 2, (uint64_t)(n + end.members));
    put(&b, 4, bytes + (uint64_t)end.bytes);
    put(&b, 4, end.wide ? 0xffffffff : place + (uint64_t)end.place);
    put(&b, 2, end.comment ? strlen(end.comment) + (uint64_t)end.comment_size : 0);
    if (end.comment) put_bytes(&b, end.comment, strlen(end.comment));
    if (end.tail) put_bytes(&b, end.tail, strlen(end.tail));
    return b;
}

const char *zip_put(const char *name, const blob *b)
{
    data_put(name, b->at, b->n);
    return data_path(name);
}

bool zip_verify(tg_scope *s, tg_tensor_file *f)
{
    for (int i = 0; f && i < f->n; i++)
        if (!tg_tensor_file_verify(s, f, i)) return false;
    return f != NULL;
}

void zip_expect(tg_scope *s, const char *row, const blob *b, const char *contains)
{
    const char *const path = zip_put("x", b);
    const bool good = zip_verify(s, tg_tensor_file_open(s, path));
    if (contains) data_refused(s, row, path, contains);
    else if (!good || !tg_ok(s)) fail_msg("%s: %s", row, tg_message(s));
    tg_reset(s);
}
