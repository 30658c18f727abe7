/* safetensors_write.c - writes a safetensors file with checksums.  See tensor_file.h.
 *
 * The header's length does not depend on the data, so it is written first, with zeros for the checksums, and rewritten
 * when they are known.  It starts with '{', which older readers require, and is padded with spaces so that the data
 * start at a multiple of 8 bytes; as the widest types come first, each tensor is aligned to its element size. */
#include "tensor_file_kind.h"
#include "system.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH = 8, ALIGNMENT = 8 };

typedef struct {
    char *text; /* the length and the header */
    size_t n, room;
    bool full, too_large;    /* incomplete, for lack of memory or (too_large) because it exceeds TG_MOST_HEADER */
    size_t header_sum, sums; /* offsets of the digits of these marks */
    tg_checksum *sum;        /* of the tensor being written */
} header;

/* ---- the text ---- */

static void append(header *h, const char *bytes, size_t n)
{
    void *text = h->text;
    if (h->full) return;
    h->too_large = h->n + n > TG_MOST_HEADER + LENGTH;
    h->full = h->too_large || !tg_system_grow(&text, &h->room, h->n + n, 1);
    if (h->full) return;
    h->text = text;
    memcpy(h->text + h->n, bytes, n);
    h->n += n;
}

static void append_format(header *h, const char *format, ...) TG_PRINTF(2, 3);
static void append_format(header *h, const char *format, ...)
{
    char text[128];
    va_list list;
    va_start(list, format);
    const int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    append(h, text, (size_t)n);
}

static void append_string(header *h, const char *text)
{
    append(h, "\"", 1);
    for (; *text; text++) {
        const uint8_t c = (uint8_t)*text;
        if (c == '"' || c == '\\') append_format(h, "\\%c", c);
        else if (c < 0x20) append_format(h, "\\u%04x", c);
        else append(h, text, 1);
    }
    append(h, "\"", 1);
}

static void append_zeros(header *h, size_t *where)
{
    *where = h->n;
    for (int i = 0; i < TG_CHECKSUM_DIGITS; i++) append(h, "0", 1);
}

/* The caller's metadata, then the marks. */
static void append_metadata(header *h, const tg_tensor_writer *w)
{
    size_t place;
    append_format(h, "{\"__metadata__\":{");
    for (int i = 0; i < w->n_meta; i++) {
        append_string(h, w->meta[i].key);
        append_format(h, ":");
        append_string(h, w->meta[i].value);
        append_format(h, ",");
    }
    append_format(h, "\"tilegrad.format\":\"1\",\"tilegrad.header\":\"");
    append_zeros(h, &h->header_sum);
    append_format(h, "\",\"tilegrad.tensors\":\"");
    h->sums = h->n;
    for (int i = 0; i < w->n; i++) append_zeros(h, &place);
    append_format(h, "\"}");
}

static void append_tensor(header *h, const tg_file_tensor *t)
{
    append_format(h, ",");
    append_string(h, t->name);
    append_format(h, ":{\"dtype\":\"%s\",\"shape\":[", t->dtype);
    for (int i = 0; i < t->rank; i++) append_format(h, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    append_format(h, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->place,
                  (unsigned long long)(t->place + t->bytes));
}

static void compose(header *h, const tg_tensor_writer *w)
{
    append(h, "12345678", LENGTH);
    append_metadata(h, w);
    for (int i = 0; i < w->n; i++) append_tensor(h, &w->tensor[i]);
    append_format(h, "}");
    while (!h->full && h->n % ALIGNMENT) append(h, " ", 1);
    for (int i = 0; !h->full && i < LENGTH; i++) h->text[i] = (char)((uint64_t)(h->n - LENGTH) >> 8 * i);
}

/* ---- the writer ---- */

static bool begin(tg_scope *s, tg_tensor_writer *w)
{
    header *const h = w->own = tg_alloc(s, sizeof *h);
    if (!h) return false;
    compose(h, w);
    h->sum = h->full ? NULL : tg_checksum_new();
    if (h->too_large) tg_fail(s, "%s: its header would be above %d bytes", w->path, TG_MOST_HEADER);
    else if (!h->sum) tg_fail(s, "%s: no memory to write it", w->path);
    return tg_ok(s) && tg_out_write(s, &w->out, h->text, h->n);
}

static bool write_bytes(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n)
{
    header *const h = w->own;
    if (w->done == 0) tg_checksum_begin(h->sum);
    tg_checksum_add(h->sum, bytes, n);
    if (w->done + n == w->tensor[w->now].bytes)
        tg_checksum_print(tg_checksum_value(h->sum), h->text + h->sums + (size_t)w->now * TG_CHECKSUM_DIGITS);
    return tg_out_write(s, &w->out, bytes, n);
}

static bool finish(tg_scope *s, tg_tensor_writer *w)
{
    header *const h = w->own;
    tg_checksum_print(tg_checksum_of(h->text, h->n), h->text + h->header_sum);
    return tg_out_rewrite(s, &w->out, 0, h->text, h->n);
}

static void close_header(tg_tensor_writer *w)
{
    header *const h = w->own;
    if (!h) return;
    tg_system_free(h->text);
    tg_system_free(h->sum);
    w->own = NULL;
}

const tg_file_writer_kind tg_safetensors_writer = { begin, write_bytes, finish, close_header };
