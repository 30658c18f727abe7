/* npy.c - parses and composes the header of a .npy.  See npy.h. */
#include "npy.h"
#include "little_endian.h"
#include <stdio.h>
#include <string.h>

enum { MAX_DESCR = 40 };

static const uint8_t magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };

/* ---- the dictionary ---- */

typedef struct {
    const char *at; /* the rest of the text, NUL-terminated */
    char descr[MAX_DESCR + 1];
    bool fortran, structured;
    int rank;
    int64_t dim[TG_MAX_RANK];
    const char *trouble; /* the first error; NULL: none */
} dictionary;

static bool malformed(dictionary *d, const char *trouble)
{
    if (!d->trouble) d->trouble = trouble;
    return false;
}

static void skip_space(dictionary *d) { d->at += strspn(d->at, " \t\r\n"); }

static bool accept(dictionary *d, const char *token)
{
    skip_space(d);
    const size_t n = strlen(token);
    if (strncmp(d->at, token, n) != 0) return false;
    d->at += n;
    return true;
}

static bool expect(dictionary *d, const char *token, const char *trouble)
{
    return accept(d, token) || malformed(d, trouble);
}

/* 'text' or "text" (u'text' in Python 2): printable ASCII without escapes. */
static bool parse_text(dictionary *d, char to[MAX_DESCR + 1])
{
    if (accept(d, "u") && *d->at != '\'' && *d->at != '"') return malformed(d, "want a short quoted string");
    const char quote = accept(d, "'") ? '\'' : accept(d, "\"") ? '"' : 0;
    int n = 0;
    while (quote && *d->at > ' ' && *d->at <= '~' && *d->at != quote && *d->at != '\\' && n < MAX_DESCR)
        to[n++] = *d->at++;
    to[n] = 0;
    if (!quote || *d->at != quote) return malformed(d, "want a short quoted string");
    d->at++;
    return true;
}

static bool parse_size(dictionary *d, int64_t *to)
{
    skip_space(d);
    const char *const first = d->at;
    int64_t value = 0;
    for (; *d->at >= '0' && *d->at <= '9'; d->at++) {
        value = 10 * value + (*d->at - '0');
        if (value > (int64_t)1 << 48) return malformed(d, "a size is above 2^48");
    }
    *to = value;
    if (d->at == first || (*first == '0' && d->at > first + 1))
        return malformed(d, "a size is not a plain decimal integer");
    d->at += *d->at == 'L'; /* Python 2 */
    return true;
}

/* (), (3,), (3, 4), (3, 4,) */
static bool parse_shape(dictionary *d)
{
    if (!expect(d, "(", "'shape' is not a tuple")) return false;
    bool comma = true;
    for (d->rank = 0; !accept(d, ")"); d->rank++) {
        if (!comma) return malformed(d, "a comma is missing in 'shape'");
        if (d->rank == TG_MAX_RANK) return malformed(d, "more axes than a tensor can have");
        if (!parse_size(d, &d->dim[d->rank])) return false;
        comma = accept(d, ",");
    }
    return d->rank != 1 || comma || malformed(d, "'shape' is not a tuple");
}

/* Skips a list or a tuple, whose contents are not needed. */
static bool skip_structure(dictionary *d)
{
    int depth = 0;
    do {
        if (!*d->at) return malformed(d, "a structured type is not terminated");
        if (*d->at == '\'' || *d->at == '"') {
            const char *const end = strchr(d->at + 1, *d->at);
            if (!end) return malformed(d, "a string is not terminated");
            d->at = end;
        }
        depth += (*d->at == '[' || *d->at == '(') - (*d->at == ']' || *d->at == ')');
        d->at++;
    } while (depth > 0);
    return true;
}

static bool parse_descr(dictionary *d)
{
    skip_space(d);
    d->structured = *d->at == '[' || *d->at == '(';
    return d->structured ? skip_structure(d) : parse_text(d, d->descr);
}

static bool parse_value(dictionary *d, const char *key, int *seen)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    int k = 0;
    while (k < 3 && strcmp(key, keys[k])) k++;
    if (k == 3) return malformed(d, "unknown key, want 'descr', 'fortran_order' or 'shape'");
    if (*seen & 1 << k) return malformed(d, "duplicate key");
    *seen |= 1 << k;
    if (k == 0) return parse_descr(d);
    if (k == 2) return parse_shape(d);
    d->fortran = accept(d, "True");
    return d->fortran || expect(d, "False", "'fortran_order' is neither True nor False");
}

static bool parse_dictionary(dictionary *d)
{
    char key[MAX_DESCR + 1];
    int seen = 0;
    bool comma = true;
    if (!expect(d, "{", "not a dictionary")) return false;
    while (!accept(d, "}")) {
        if (!comma) return malformed(d, "a comma is missing");
        if (!parse_text(d, key) || !expect(d, ":", "a colon is missing") || !parse_value(d, key, &seen)) return false;
        comma = accept(d, ",");
    }
    if (seen != 7) return malformed(d, "a key of 'descr', 'fortran_order', 'shape' is missing");
    skip_space(d);
    return !*d->at || malformed(d, "trailing bytes after the dictionary");
}

/* ---- the header ---- */

/* Reads the dictionary's text, and terminates it with a NUL. */
static bool parse_header_text(tg_scope *s, const tg_npy_source *from, char text[TG_NPY_MOST_HEADER + 1], size_t *length)
{
    uint8_t head[12];
    if (!from->take(s, from->from, 8, head)) return false;
    if (memcmp(head, magic, sizeof magic)) {
        tg_fail(s, "%s: not a .npy file: it does not start with \\x93NUMPY", from->what);
        return false;
    }
    if (head[6] < 1 || head[6] > 3 || head[7] != 0) {
        tg_fail(s, "%s: .npy of version %d.%d, want 1.0, 2.0 or 3.0", from->what, head[6], head[7]);
        return false;
    }
    const int width = head[6] == 1 ? 2 : 4;
    if (!from->take(s, from->from, (size_t)width, head + 8)) return false;
    const uint64_t n = tg_get_le(head + 8, width);
    if (n > TG_NPY_MOST_HEADER) {
        tg_fail(s, "%s: a .npy header of %llu bytes, want at most %d", from->what, (unsigned long long)n,
                TG_NPY_MOST_HEADER);
        return false;
    }
    if (!from->take(s, from->from, (size_t)n, text)) return false;
    text[n] = 0;
    *length = 8 + (size_t)width + (size_t)n;
    return strlen(text) == n || (tg_fail(s, "%s: the .npy header contains a NUL", from->what), false);
}

/* Sets what follows from the type and the order of axes. */
static void describe(tg_scope *s, const dictionary *d, tg_file_tensor *t, tg_file_form *form)
{
    const char *const known = d->structured ? NULL : tg_npy_type(d->descr, form);
    const bool ours = !known && tg_file_dtype_find(d->descr); /* a name of safetensors': none of NumPy's */
    t->dtype = known ? known : tg_strdup(s, d->structured ? "structured" : ours ? "unknown" : d->descr);
    if (d->structured) *form = (tg_file_form){ .size = 0 };
    form->columns = d->fortran && d->rank > 1;
    t->trouble = NULL;
    if (ours) t->trouble = "has a dtype unknown to NumPy";
    else if (strchr(d->descr, 'O')) t->trouble = "holds Python objects (|O), which only Python can read";
    else if (form->columns && !form->size) t->trouble = "is in Fortran order, and the size of its elements is unknown";
}

bool tg_npy_take_header(tg_scope *s, const tg_npy_source *from, tg_file_tensor *t, tg_file_form *form, size_t *length)
{
    char text[TG_NPY_MOST_HEADER + 1];
    if (!parse_header_text(s, from, text, length)) return false;
    dictionary d = { .at = text };
    if (!parse_dictionary(&d)) {
        tg_fail(s, "%s: its .npy header is malformed: %s", from->what, d.trouble);
        return false;
    }
    describe(s, &d, t, form);
    t->rank = d.rank;
    t->bytes = from->size - *length;
    memcpy(t->dim, d.dim, sizeof d.dim);
    uint64_t elements = 0, bytes = t->bytes;
    const bool fits = tg_file_shape_bytes(t->rank, t->dim, 8, &elements) &&
                      (!form->size || tg_file_shape_bytes(t->rank, t->dim, 8 * (int)form->size, &bytes));
    if (!fits) tg_fail(s, "%s: its shape overflows", from->what);
    else if (!t->trouble && bytes != t->bytes)
        tg_fail(s, "%s: holds %llu bytes of data, want %llu by its shape and dtype %s", from->what,
                (unsigned long long)t->bytes, (unsigned long long)bytes, t->dtype);
    return tg_ok(s);
}

size_t tg_npy_make_header(const tg_file_tensor *t, char to[TG_NPY_MOST_HEADER])
{
    enum { HEAD = 10 };
    int n = HEAD + sprintf(to + HEAD, "{'descr': '%s', 'fortran_order': False, 'shape': (", tg_npy_dtype(t->dtype));
    for (int i = 0; i < t->rank; i++) n += sprintf(to + n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    n += sprintf(to + n, "%s), }", t->rank == 1 ? "," : "");
    const int length = (n + 1 + 63) / 64 * 64;
    memset(to + n, ' ', (size_t)(length - n));
    to[length - 1] = '\n';
    memcpy(to, magic, sizeof magic);
    to[6] = 1;
    to[7] = 0;
    tg_put_le((uint8_t *)to + 8, 2, (uint64_t)(length - HEAD));
    return (size_t)length;
}
