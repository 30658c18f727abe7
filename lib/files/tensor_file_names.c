/* tensor_file_names.c - names, dtypes and sizes of tensors in files. */
#include "printable.h"
#include "tensor_file_kind.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BITS = 48 };

const tg_file_dtype *tg_file_dtype_find(const char *name)
{
    static const tg_file_dtype all[] = {
        { "F64", 64 },    { "F32", 32 },    { "F16", 16 },        { "BF16", 16 },       { "I64", 64 },    { "I32", 32 },
        { "I16", 16 },    { "I8", 8 },      { "U64", 64 },        { "U32", 32 },        { "U16", 16 },    { "U8", 8 },
        { "BOOL", 8 },    { "C64", 64 },    { "F8_E5M2", 8 },     { "F8_E4M3", 8 },     { "F8_E8M0", 8 }, { "F4", 4 },
        { "F6_E2M3", 6 }, { "F6_E3M2", 6 }, { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, name)) return &all[i];
    return NULL;
}

bool tg_file_shape_bytes(int rank, const int64_t *dim, int bits, uint64_t *bytes)
{
    const uint64_t most = (uint64_t)8 << MAX_BITS;
    uint64_t product = (uint64_t)bits;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || (uint64_t)dim[i] > (uint64_t)1 << MAX_BITS) return false;
        if (dim[i] > 0 && product > most / (uint64_t)dim[i]) return false;
        product *= dim[i] > 0 ? (uint64_t)dim[i] : 1;
        empty |= dim[i] == 0;
    }
    *bytes = empty ? 0 : product / 8;
    return empty || product % 8 == 0;
}

/* ---- names ---- */

const char *tg_file_name_trouble(const char *name, size_t length)
{
    uint32_t code;
    if (length == 0) return "is empty";
    if (length > TG_MOST_NAME) return "is longer than 512 bytes";
    for (size_t at = 0, step; at < length; at += step) {
        if (!(step = tg_utf8(name + at, length - at, &code))) return "is not valid UTF-8";
        if (tg_is_control(code)) return "contains a control character";
    }
    return NULL;
}

bool tg_file_is_mark(const char *key)
{
    return !strcmp(key, "tilegrad.format") || !strcmp(key, "tilegrad.header") || !strcmp(key, "tilegrad.tensors");
}

/* ---- lookup by name ---- */

typedef struct {
    const char *first;
    size_t size;
} table;

static const char *name_of(const table *t, int i) { return *(const char *const *)(t->first + (size_t)i * t->size); }

static int compare_names(const void *a, const void *b, void *names)
{
    const int i = *(const int *)a, k = *(const int *)b, order = strcmp(name_of(names, i), name_of(names, k));
    return order ? order : (i > k) - (i < k);
}

void tg_file_sort_names(const void *things, size_t size, int n, int *by_name)
{
    for (int i = 0; i < n; i++) by_name[i] = i;
    if (n > 1) qsort_r(by_name, (size_t)n, sizeof *by_name, compare_names, &(table){ things, size });
}

int tg_file_name_find(const void *things, size_t size, int n, const int *by_name, const char *name)
{
    const table names = { things, size };
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (strcmp(name_of(&names, by_name[middle]), name) < 0) low = middle + 1;
        else high = middle;
    }
    return low < n && !strcmp(name_of(&names, by_name[low]), name) ? by_name[low] : -1;
}

const char *tg_file_name_twice(const void *things, size_t size, int n, const int *by_name)
{
    const table names = { things, size };
    for (int i = 1; i < n; i++)
        if (!strcmp(name_of(&names, by_name[i]), name_of(&names, by_name[i - 1]))) return name_of(&names, by_name[i]);
    return NULL;
}

/* Backslashes are doubled, so that different names never print alike. */
const char *tg_printable(const char *name, tg_name_text *text)
{
    static const char rest[] = "...";
    if (!text) return "";
    const size_t room = sizeof text->text - sizeof rest;
    size_t have = 0, left = name ? strlen(name) : 0;
    for (size_t step; left > 0; name += step, left -= step) {
        char piece[TG_PIECE];
        step = tg_printable_piece(name, left, piece);
        if (*name == '\\') strcpy(piece, "\\\\");
        const size_t more = strlen(piece);
        if (have + more > room) {
            memcpy(text->text + have, rest, sizeof rest);
            return text->text;
        }
        memcpy(text->text + have, piece, more);
        have += more;
    }
    text->text[have] = 0;
    return text->text;
}
