/* tensor_file_form.c - reads big-endian and Fortran-order arrays as little-endian and row-major.  See tg_file_form. */
#include "tensor_file_kind.h"
#include "system.h"
#include <string.h>

enum { PIECE = 1 << 18, ROOM = 1 << 14 };

static void swap(const tg_file_form *form, uint8_t *bytes, size_t n)
{
    for (size_t at = 0; form->swapped && at + form->swapped <= n; at += form->swapped)
        for (size_t k = 0; k < form->swapped / 2; k++) {
            const uint8_t one = bytes[at + k];
            bytes[at + k] = bytes[at + form->swapped - 1 - k];
            bytes[at + form->swapped - 1 - k] = one;
        }
}

/* Reads whole swap units through a buffer, as the range may start or end within one. */
static bool read_swapped(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, uint8_t *to)
{
    const size_t unit = f->reader->form[i].swapped; /* a power of 2 */
    uint8_t buffer[ROOM];
    while (n > 0) {
        const uint64_t start = from / unit * unit, skip = from - start, wanted = (skip + n + unit - 1) / unit * unit;
        const size_t some = wanted < ROOM ? (size_t)wanted : ROOM;
        if (!f->reader->kind->read(s, f, i, start, some, buffer)) return false;
        swap(&f->reader->form[i], buffer, some);
        const size_t taken = some - skip < n ? some - (size_t)skip : n;
        memcpy(to, buffer + skip, taken);
        to += taken;
        from += taken;
        n -= taken;
    }
    return true;
}

/* Reads all of tensor i into memory, once. */
static bool load_whole(tg_scope *s, tg_tensor_file *f, int i)
{
    tg_tensor_reader *const r = f->reader;
    const uint64_t bytes = f->tensor[i].bytes;
    tg_name_text name;
    if (r->whole && r->whole_of == i) return true;
    tg_system_free(r->whole);
    r->whole = tg_system_alloc((size_t)bytes);
    r->whole_of = i;
    if (!r->whole)
        tg_fail(s, "%s: tensor '%s': no memory for its %llu bytes, which are in Fortran order", f->path,
                tg_printable(f->tensor[i].name, &name), (unsigned long long)bytes);
    for (uint64_t at = 0; tg_ok(s) && at < bytes; at += PIECE)
        r->kind->read(s, f, i, at, bytes - at < PIECE ? (size_t)(bytes - at) : PIECE, (char *)r->whole + at);
    if (tg_ok(s)) {
        swap(&r->form[i], r->whole, (size_t)bytes);
        return true;
    }
    tg_system_free(r->whole);
    r->whole = NULL;
    return false;
}

/* The column-major index of the element with row-major index `number`. */
static uint64_t column_major_index(const tg_file_tensor *t, uint64_t number)
{
    uint64_t index[TG_MAX_RANK], place = 0;
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = number % (uint64_t)t->dim[k];
        number /= (uint64_t)t->dim[k];
    }
    for (int k = t->rank - 1; k >= 0; k--) place = place * (uint64_t)t->dim[k] + index[k];
    return place;
}

static bool read_columns(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, uint8_t *to)
{
    const tg_file_tensor *const t = &f->tensor[i];
    const uint64_t size = f->reader->form[i].size;
    if (n == 0) return true;
    if (!load_whole(s, f, i)) return false;
    while (n > 0) {
        const uint64_t skip = from % size, left = size - skip;
        const size_t some = left < n ? (size_t)left : n;
        memcpy(to, (uint8_t *)f->reader->whole + column_major_index(t, from / size) * size + skip, some);
        to += some;
        from += some;
        n -= some;
    }
    return true;
}

bool tg_file_read_formed(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    return f->reader->form[i].columns ? read_columns(s, f, i, from, n, to) : read_swapped(s, f, i, from, n, to);
}
