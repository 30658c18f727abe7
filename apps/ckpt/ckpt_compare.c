/* ckpt_compare.c - see ckpt_compare.h. */
#include "ckpt_compare.h"
#include <math.h>
#include <string.h>

static void record_difference(comparison *r, int64_t at, double here, double there, double difference)
{
    if (r->differ++ == 0) r->first = at;
    if (isnan(here) || isnan(there)) {
        r->nan++;
        return;
    }
    const double larger = fmax(fabs(here), fabs(there)), relative = isinf(difference) ? INFINITY : difference / larger;
    if (difference > r->absolute) {
        r->absolute = difference;
        r->at = at;
        r->here = here;
        r->there = there;
    }
    if (relative > r->relative) r->relative = relative;
}

static void compare_floats(comparison *r, int64_t first, const ckpt_numbers *a, const ckpt_numbers *b)
{
    for (int64_t k = 0; k < a->n; k++) {
        const double x = a->floats[k], y = b->floats[k];
        if (x != y && memcmp(&x, &y, sizeof x)) record_difference(r, first + k, x, y, fabs(x - y));
    }
}

static void compare_whole(comparison *r, int64_t first, const ckpt_numbers *a, const ckpt_numbers *b)
{
    for (int64_t k = 0; k < a->n; k++) {
        const int64_t x = a->whole[k], y = b->whole[k];
        const uint64_t difference = x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
        if (x != y) record_difference(r, first + k, (double)x, (double)y, (double)difference);
    }
}

static comparison compare_bytes(ckpt *c, tg_tensor_file *a, int i, tg_tensor_file *b, int k, compare_room *room)
{
    comparison r = { 0 };
    uint8_t *const x = (uint8_t *)room->a.floats, *const y = (uint8_t *)room->b.floats;
    const uint64_t bytes = a->tensor[i].bytes;
    for (uint64_t at = 0; at < bytes; at += CKPT_BYTES) {
        const size_t n = bytes - at < CKPT_BYTES ? (size_t)(bytes - at) : CKPT_BYTES;
        if (!tg_tensor_file_read(c->root, a, i, at, n, x) || !tg_tensor_file_read(c->root, b, k, at, n, y)) break;
        for (size_t j = 0; j < n; j++)
            if (x[j] != y[j] && r.differ++ == 0) r.first = (int64_t)(at + j);
        if (!ckpt_step(c, 2 * n)) break;
    }
    return r;
}

comparison compare_tensors(ckpt *c, tg_tensor_file *a, int i, tg_tensor_file *b, int k, compare_room *room)
{
    const tg_file_tensor *const t = &a->tensor[i], *const u = &b->tensor[k];
    if (t->trouble || u->trouble) { /* which reading reports */
        tg_tensor_file_read(c->root, t->trouble ? a : b, t->trouble ? i : k, 0, 0, NULL);
        return (comparison){ 0 };
    }
    if (ckpt_kind_of(t) == CKPT_OTHER) return compare_bytes(c, a, i, b, k, room);
    const int64_t count = ckpt_count(t);
    comparison r = { 0 };
    for (int64_t first = 0; first < count; first += CKPT_PIECE) {
        const int64_t n = count - first < CKPT_PIECE ? count - first : CKPT_PIECE;
        if (!ckpt_read(c, a, i, first, n, &room->a) || !ckpt_read(c, b, k, first, n, &room->b)) break;
        if (room->a.kind == CKPT_FLOATS) compare_floats(&r, first, &room->a, &room->b);
        else compare_whole(&r, first, &room->a, &room->b);
        if (!ckpt_step(c, (t->bytes + u->bytes) / (uint64_t)count * (uint64_t)n)) break;
    }
    return r;
}
