/* safetensors_write.c - a safetensors file with checksums.  See tensor_file.h.
 *
 * How long the header is does not depend on the data: it is written first, with zeros for the checksums, and once more
 * when they are known.  It begins with '{', which older readers want, and ends in spaces, so that the data begin at a
 * multiple of 8 bytes and, the widest types being first, each tensor at a multiple of its element. */
#include "tensor_file_kind.h"
#include "system.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH = 8, ALIGNMENT = 8 };

typedef struct {
    char *text; /* the length and the header */
    size_t n, room;
    bool full, too_large;    /* not all of it is here: for want of memory, or above TG_MOST_HEADER */
    size_t header_sum, sums; /* where the digits of these marks stand */
    tg_checksum *sum;        /* of the tensor that is being written */
} header;

/* ---- the text ---- */

static void add(header *h, const char *bytes, size_t n)
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

static void say(header *h, const char *format, ...) TG_PRINTF(2, 3);
static void say(header *h, const char *format, ...)
{
    char text[128];
    va_list list;
    va_start(list, format);
    const int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    add(h, text, (size_t)n);
}

static void say_string(header *h, const char *text)
{
    add(h, "\"", 1);
    for (; *text; text++) {
        const uint8_t c = (uint8_t)*text;
        if (c == '"' || c == '\\') say(h, "\\%c", c);
        else if (c < 0x20) say(h, "\\u%04x", c);
        else add(h, text, 1);
    }
    add(h, "\"", 1);
}

static void say_zeros(header *h, size_t *where)
{
    *where = h->n;
    for (int i = 0; i < TG_CHECKSUM_DIGITS; i++) add(h, "0", 1);
}

/* The caller's first; and the marks. */
static void say_metadata(header *h, const tg_tensor_writer *w)
{
    size_t place;
    say(h, "{\"__metadata__\":{");
    for (int i = 0; i < w->n_meta; i++) {
        say_string(h, w->meta[i].key);
        say(h, ":");
        say_string(h, w->meta[i].value);
        say(h, ",");
    }
    say(h, "\"tilegrad.format\":\"1\",\"tilegrad.header\":\"");
    say_zeros(h, &h->header_sum);
    say(h, "\",\"tilegrad.tensors\":\"");
    h->sums = h->n;
    for (int i = 0; i < w->n; i++) say_zeros(h, &place);
    say(h, "\"}");
}

static void say_tensor(header *h, const tg_file_tensor *t)
{
    say(h, ",");
    say_string(h, t->name);
    say(h, ":{\"dtype\":\"%s\",\"shape\":[", t->dtype);
    for (int i = 0; i < t->rank; i++) say(h, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    say(h, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->place, (unsigned long long)(t->place + t->bytes));
}

static void compose(header *h, const tg_tensor_writer *w)
{
    add(h, "12345678", LENGTH);
    say_metadata(h, w);
    for (int i = 0; i < w->n; i++) say_tensor(h, &w->tensor[i]);
    say(h, "}");
    while (!h->full && h->n % ALIGNMENT) add(h, " ", 1);
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
