/* safetensors_read.c - reads the header of an untrusted safetensors file.  The format: see tensor_file.h.
 *
 * jansson parses the JSON, and refuses duplicate keys, invalid UTF-8, lone surrogates and trailing bytes.  Everything
 * else is checked here: each value has one allowed type, unknown fields are refused, and the tensors must cover the
 * data without holes or overlaps. */
#include "tensor_file_kind.h"
#include "system.h"
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 8, MAX_DEPTH = 3, MIN_OBJECT = 32, FEW_OBJECTS = 8, MAX_DTYPE = 16 };
#define MAX_NUMBER ((uint64_t)1 << 48)

static const char *const marks[] = { "tilegrad.format", "tilegrad.header", "tilegrad.tensors" };
enum { FORMAT, HEADER, SUMS, MARKS };

typedef struct {
    tg_scope *s;
    tg_tensor_file *f;
    char *text; /* [LENGTH + n] the length and the header, as in the file */
    size_t n;
    const char *mark[MARKS]; /* values of the marks; NULL: absent */
} header;

static bool recognises(const uint8_t *first, size_t n)
{
    return n == LENGTH && first[5] == 0 && first[6] == 0 && first[7] == 0; /* plausible as a length */
}

static bool refuse(header *h, const char *format, ...) TG_PRINTF(2, 3);
static bool refuse(header *h, const char *format, ...)
{
    char why[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    tg_fail(h->s, "%s: %s", h->f->path, why);
    return false;
}

static bool refuse_tensor(header *h, const char *name, const char *why)
{
    tg_name_text text;
    return refuse(h, "tensor '%s': %s", tg_printable(name, &text), why);
}

static bool no_memory(header *h)
{
    tg_fail_system(h->s, ENOMEM, "%s: no memory for its header of %zu bytes", h->f->path, h->n);
    return false;
}

/* ---- the text ---- */

static bool read_text(header *h)
{
    uint8_t first[LENGTH];
    uint64_t n = 0;
    const uint64_t rest = h->f->reader->size - LENGTH;
    if (!tg_read_at(h->s, h->f, 0, LENGTH, first)) return false;
    for (int i = 0; i < LENGTH; i++) n |= (uint64_t)first[i] << 8 * i;
    if (n > TG_MOST_HEADER)
        return refuse(h, "declares a header of %llu bytes, want at most %d", (unsigned long long)n, TG_MOST_HEADER);
    if (n > rest)
        return refuse(h, "declares a header of %llu bytes, but only %llu follow", (unsigned long long)n,
                      (unsigned long long)rest);
    h->n = (size_t)n;
    h->text = tg_system_alloc(LENGTH + h->n);
    if (!h->text) return no_memory(h);
    return tg_read_at(h->s, h->f, 0, LENGTH + h->n, h->text);
}

/* The index after the closing quote of the string that starts at `at`. */
static size_t skip_string(const header *h, size_t at)
{
    const char *const text = h->text + LENGTH;
    for (at++; at < h->n && text[at] != '"'; at++)
        if (text[at] == '\\') at++;
    return at + 1;
}

/* Checks what jansson does not report, or only after allocating much more memory than the text: NUL (which it misses
 * after a number), negative numbers (it reads -0 as 0), deep nesting, long lists, more objects than there could be
 * tensors. */
static bool scan(header *h)
{
    const char *const text = h->text + LENGTH, *const nul = memchr(text, 0, h->n);
    size_t depth = 0, objects = 0, commas = 0;
    if (nul) return refuse(h, "the header has a NUL at byte %zu", (size_t)(nul - text));
    for (size_t at = 0; at < h->n; at++) {
        const char c = text[at];
        if (c == '"') at = skip_string(h, at) - 1;
        if (c == '-') return refuse(h, "the header has a number below 0 at byte %zu", at);
        if ((c == '{' || c == '[') && ++depth > MAX_DEPTH)
            return refuse(h, "the header is nested deeper than %d at byte %zu", MAX_DEPTH, at);
        if ((c == '}' || c == ']') && depth > 0) depth--;
        objects += c == '{';
        commas = c == '[' ? 0 : commas + (c == ',');
        if (depth == MAX_DEPTH && commas >= TG_MAX_RANK)
            return refuse(h, "the header has a list of more than %d at byte %zu", TG_MAX_RANK, at);
    }
    if (objects > FEW_OBJECTS && objects > h->n / MIN_OBJECT)
        return refuse(h, "the header has %zu objects in %zu bytes, more than tensors could be", objects, h->n);
    return true;
}

static json_t *parse(header *h)
{
    json_error_t error;
    tg_name_text why;
    const bool allowed = tg_system_allowed(); /* all of jansson's allocations count as one request */
    json_t *const root = allowed ? json_loadb(h->text + LENGTH, h->n, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (root) return root;
    if (!allowed || json_error_code(&error) == json_error_out_of_memory) no_memory(h);
    else refuse(h, "the header is not JSON: %s (byte %d)", tg_printable(error.text, &why), error.position);
    return NULL;
}

/* ---- metadata ---- */

static bool is_mark(header *h, const char *key, json_t *value)
{
    for (int i = 0; i < MARKS; i++)
        if (!strcmp(key, marks[i])) {
            h->mark[i] = json_string_value(value);
            return true;
        }
    return false;
}

static bool read_metadata(header *h, json_t *all)
{
    tg_file_meta *const meta = h->f->meta = tg_alloc(h->s, json_object_size(all) * sizeof *meta);
    tg_name_text text;
    const char *key;
    json_t *value;
    if (all && !json_is_object(all) && !json_is_null(all)) return refuse(h, "__metadata__ is not an object");
    json_object_foreach(all, key, value)
    {
        if (!json_is_string(value)) return refuse(h, "__metadata__: '%s' is not a string", tg_printable(key, &text));
        if (is_mark(h, key, value)) continue;
        meta[h->f->n_meta] = (tg_file_meta){ tg_strdup(h->s, key), tg_strdup(h->s, json_string_value(value)) };
        if (!tg_ok(h->s)) return false;
        h->f->n_meta++;
    }
    return tg_ok(h->s);
}

/* ---- tensors ---- */

static bool is_number(const json_t *value, uint64_t *to)
{
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    *to = (uint64_t)number;
    return number >= 0 && (uint64_t)number <= MAX_NUMBER;
}

static bool read_dtype(header *h, tg_file_tensor *t, const json_t *value)
{
    const char *const name = json_string_value(value);
    if (!name) return refuse_tensor(h, t->name, "dtype is missing or not a string");
    const size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (length == 0 || length > MAX_DTYPE || name[length])
        return refuse_tensor(h, t->name, "the dtype is not 1 to 16 capitals, digits and '_'");
    const tg_file_dtype *const known = tg_file_dtype_find(name);
    t->dtype = known ? known->name : tg_strdup(h->s, name);
    return t->dtype != NULL;
}

static bool read_shape(header *h, tg_file_tensor *t, const json_t *value)
{
    if (!json_is_array(value)) return refuse_tensor(h, t->name, "shape is missing or not a list");
    t->rank = (int)json_array_size(value);
    assert(t->rank <= TG_MAX_RANK); /* scan refuses longer lists */
    for (int i = 0; i < t->rank; i++) {
        uint64_t size;
        if (!is_number(json_array_get(value, (size_t)i), &size))
            return refuse_tensor(h, t->name, "the shape has a size that is not an integer, want 0 to 2^48");
        t->dim[i] = (int64_t)size;
    }
    return true;
}

static bool read_offsets(header *h, tg_file_tensor *t, const json_t *value)
{
    uint64_t end;
    if (!json_is_array(value) || json_array_size(value) != 2)
        return refuse_tensor(h, t->name, "data_offsets is missing or not a list of two numbers");
    if (!is_number(json_array_get(value, 0), &t->place) || !is_number(json_array_get(value, 1), &end))
        return refuse_tensor(h, t->name, "data_offsets are not integers, want 0 to 2^48");
    if (end < t->place) return refuse_tensor(h, t->name, "ends before it begins");
    t->bytes = end - t->place;
    return true;
}

/* For an unknown dtype any number of bytes is accepted, as its elements are never converted. */
static bool check_size(header *h, const tg_file_tensor *t)
{
    const tg_file_dtype *const dtype = tg_file_dtype_find(t->dtype);
    uint64_t bytes;
    if (!tg_file_shape_bytes(t->rank, t->dim, dtype ? dtype->bits : 8, &bytes))
        return refuse_tensor(h, t->name, "the shape has more than 2^48 bytes, or not a whole number of bytes");
    if (dtype && bytes != t->bytes) {
        tg_name_text name;
        return refuse(h, "tensor '%s': has %llu bytes, want %llu by its shape and dtype", tg_printable(t->name, &name),
                      (unsigned long long)t->bytes, (unsigned long long)bytes);
    }
    return true;
}

static bool read_tensor(header *h, tg_file_tensor *t, const char *name, json_t *value)
{
    const char *const trouble = tg_file_name_trouble(name, strlen(name));
    tg_name_text text;
    if (trouble) return refuse(h, "a tensor's name %s: '%s'", trouble, tg_printable(name, &text));
    if (!(t->name = tg_strdup(h->s, name))) return false;
    if (!json_is_object(value)) return refuse_tensor(h, name, "is not an object");
    if (!read_dtype(h, t, json_object_get(value, "dtype")) || !read_shape(h, t, json_object_get(value, "shape")) ||
        !read_offsets(h, t, json_object_get(value, "data_offsets")) || !check_size(h, t))
        return false;
    return json_object_size(value) == 3 ||
           refuse_tensor(h, name, "has an unknown field, want dtype, shape, data_offsets");
}

static int compare_places(const void *a, const void *b)
{
    const tg_file_tensor *const t = a, *const u = b;
    if (t->place != u->place) return t->place < u->place ? -1 : 1;
    if (t->bytes != u->bytes) return t->bytes < u->bytes ? -1 : 1;
    return (t->tag > u->tag) - (t->tag < u->tag); /* the header's order */
}

/* Sorts the tensors by place, and checks that they cover the data from the first byte to the last. */
static bool check_places(header *h)
{
    tg_file_tensor *const t = h->f->tensor;
    const uint64_t size = h->f->reader->size - LENGTH - h->n;
    uint64_t at = 0;
    tg_name_text name;
    if (h->f->n > 1) qsort(t, (size_t)h->f->n, sizeof *t, compare_places);
    for (int i = 0; i < h->f->n; at += t[i++].bytes) {
        t[i].tag = 0;
        if (t[i].place != at)
            return refuse(h, "tensor '%s': begins at byte %llu of the data, want %llu, where the one before it ends",
                          tg_printable(t[i].name, &name), (unsigned long long)t[i].place, (unsigned long long)at);
    }
    if (at != size)
        return refuse(h, "the tensors have %llu bytes, the file has %llu for them", (unsigned long long)at,
                      (unsigned long long)size);
    return true;
}

static bool read_tensors(header *h, json_t *root)
{
    tg_file_tensor *const all = h->f->tensor = tg_alloc(h->s, json_object_size(root) * sizeof *all);
    const char *name;
    json_t *value;
    if (!all) return false;
    json_object_foreach(root, name, value)
    {
        if (!strcmp(name, "__metadata__")) continue;
        tg_file_tensor *const t = &all[h->f->n];
        t->tag = h->f->n;
        if (!read_tensor(h, t, name, value)) return false;
        h->f->n++;
    }
    return check_places(h);
}

/* ---- the marks ---- */

/* Finds the digits of tilegrad.header in the text.  An unescaped quote opens or closes a string, and no letter can
 * follow a closing one, so a match is the key. */
static char *find_digits(const header *h)
{
    static const char key[] = "\"tilegrad.header\":\"";
    const char *at = h->text + LENGTH, *const end = at + h->n;
    while ((at = memmem(at, (size_t)(end - at), key, sizeof key - 1)) && at[-1] == '\\') at++;
    return at ? (char *)at + sizeof key - 1 : NULL;
}

static bool check_header_sum(header *h)
{
    char got[TG_CHECKSUM_DIGITS];
    char *const digits = find_digits(h);
    const char *const want = h->mark[HEADER];
    uint64_t unused;
    if (!digits || strlen(want) != sizeof got || !tg_checksum_parse(want, &unused) || memcmp(digits, want, sizeof got))
        return refuse(h, "tilegrad.header is not 16 lower-case hexadecimal digits, as they were written");
    memset(digits, '0', sizeof got);
    tg_checksum_print(tg_checksum_of(h->text, LENGTH + h->n), got);
    if (memcmp(got, want, sizeof got) != 0)
        return refuse(h, "the header is damaged: its checksum is %.16s, want %.16s", got, want);
    return true;
}

static bool check_marks(header *h)
{
    int found = 0;
    for (int i = 0; i < MARKS; i++) found += h->mark[i] != NULL;
    if (found == 0) return true;
    for (int i = 0; i < MARKS; i++)
        if (!h->mark[i])
            return refuse(h, "__metadata__ lacks %s, which goes with the other marks of tilegrad", marks[i]);
    if (strcmp(h->mark[FORMAT], "1") != 0) {
        tg_name_text text;
        tg_printable(h->mark[FORMAT], &text);
        return refuse(h, "tilegrad.format is '%s', want '1': a newer tilegrad wrote it", text.text);
    }
    const char *const sums = h->mark[SUMS];
    const size_t digits = (size_t)h->f->n * TG_CHECKSUM_DIGITS;
    uint64_t unused;
    if (!check_header_sum(h)) return false;
    if (strlen(sums) != digits) return refuse(h, "tilegrad.tensors has %zu digits, want %zu", strlen(sums), digits);
    for (size_t at = 0; at < digits; at += TG_CHECKSUM_DIGITS)
        if (!tg_checksum_parse(sums + at, &unused))
            return refuse(h, "tilegrad.tensors has characters other than lower-case hexadecimal digits");
    h->f->reader->sums = tg_strdup(h->s, sums);
    h->f->marked = true;
    return tg_ok(h->s);
}

/* ---- the kind ---- */

static bool open_header(tg_scope *s, tg_tensor_file *f)
{
    header h = { .s = s, .f = f };
    json_t *root = NULL;
    const bool good = read_text(&h) && scan(&h) && (root = parse(&h)) &&
                      (json_is_object(root) || refuse(&h, "the header is not a JSON object")) &&
                      read_metadata(&h, json_object_get(root, "__metadata__")) && read_tensors(&h, root) &&
                      check_marks(&h);
    f->reader->data = LENGTH + h.n;
    json_decref(root);
    tg_system_free(h.text);
    return good;
}

static bool read_bytes(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    return tg_read_at(s, f, f->reader->data + f->tensor[i].place + from, n, to);
}

static void close_nothing(tg_tensor_file *f) { (void)f; }

const tg_file_kind tg_safetensors_kind = { "safetensors", recognises, open_header, read_bytes, close_nothing };
