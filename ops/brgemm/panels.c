/* panels.c - see panels.h. */
#include "panels.h"
#include <string.h>

enum { BACKWARD, MERGED, GROUPS, CLASSES, DILATION };

/* ---- shape ---- */

int64_t tg_class_taps(const tg_panels *p, int64_t class_)
{
    int64_t n = 0;
    for (int64_t kw = 0; kw < p->kernel[1]; kw++) n += tg_class_of(p, kw) == class_;
    return n;
}

static int64_t class_depth(const tg_panels *p, int64_t class_)
{
    const int64_t taps = tg_class_taps(p, class_);
    return p->merged ? tg_run_depth(p, taps * p->in) : taps * tg_run_depth(p, p->in);
}

int64_t tg_class_start(const tg_panels *p, int64_t class_)
{
    int64_t k = 0;
    for (int64_t i = 0; i < class_; i++) k += class_depth(p, i);
    return k;
}

tg_panels tg_panels_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    tg_panels p = { .backward = key[BACKWARD], .merged = key[MERGED], .bf16 = w->dtype == TG_BF16,
                    .groups = key[GROUPS], .kernel = { 1, 1 }, .classes = key[CLASSES], .dilation = key[DILATION] };
    const int64_t of = w->dim[0] / p.groups, in = w->dim[w->rank - 1];
    if (w->rank == 4) p.kernel[0] = w->dim[1], p.kernel[1] = w->dim[2];
    p.in = p.backward ? of : in;
    p.out = p.backward ? in : of;
    p.count = (p.out + TG_PANEL - 1) / TG_PANEL;
    p.line = tg_class_start(&p, p.classes);
    p.depth = p.kernel[0] * p.line;
    return p;
}

void tg_panels_key(const tg_tensor *w, bool backward, bool merged, int64_t groups, int64_t classes,
                   int64_t dilation, int32_t key[TG_LAYOUT_KEY])
{
    const int64_t in = backward ? w->dim[0] / groups : w->dim[w->rank - 1];
    memset(key, 0, sizeof *key * TG_LAYOUT_KEY);
    key[BACKWARD] = backward;
    key[MERGED] = merged || w->dtype != TG_BF16 || in % TG_DEPTH == 0;
    key[GROUPS] = (int32_t)groups;
    key[CLASSES] = (int32_t)classes;
    key[DILATION] = (int32_t)(dilation % classes);      /* all that tells classes apart */
}

static size_t bytes(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    const tg_panels p = tg_panels_of(w, key);
    return (size_t)(p.groups * p.count * p.depth * TG_PANEL) * tg_dtype_size(w->dtype);
}

/* ---- packing: by runs of w whose elements become consecutive k of one column, or columns of one k ---- */

typedef struct {
    tg_panels        p;
    const tg_tensor *w;
    void            *to;
} packing;

/* The first k of a tap, and k that belong to it beyond the channels: those that pad its run behind its last tap. */
typedef struct { int64_t k, pad; } tap_place;

static tap_place place_of(const tg_panels *p, int64_t kh, int64_t kw)
{
    const int64_t class_ = tg_class_of(p, kw), start = kh * p->line + tg_class_start(p, class_);
    const int64_t apart = tg_run_depth(p, p->in), taps = tg_class_taps(p, class_);
    int64_t       before = 0;
    for (int64_t i = 0; i < kw; i++) before += tg_class_of(p, i) == class_;
    if (p->backward) before = taps - 1 - before;
    if (!p->merged) return (tap_place){ start + before * apart, apart - p->in };
    return (tap_place){ start + before * p->in, before == taps - 1 ? tg_run_depth(p, taps * p->in) - taps * p->in : 0 };
}

static size_t element(bool bf16, int64_t k, int64_t column)
{
    return (size_t)(bf16 ? k / 2 * 2 * TG_PANEL + 2 * column + k % 2 : k * TG_PANEL + column);
}

/* The depth of a panel, where its first column is column 0 of it. */
static char *panel(const packing *q, int64_t group, int64_t n)
{
    const int64_t at = (group * q->p.count + n) * q->p.depth * TG_PANEL;
    return (char *)q->to + (size_t)at * tg_dtype_size(q->w->dtype);
}

/* n elements (NULL: zeros) become k, k + 1, .. of a column */
static void put_down(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t column)
{
    const uint16_t *half = from;
    const float    *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(true, k + i, column)] = half ? half[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(false, k + i, column)] = whole ? whole[i] : 0;
}

/* n elements (NULL: zeros) become columns j, j + 1, .. of a k */
static void put_along(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t j)
{
    const uint16_t *half = from;
    const float    *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(true, k, j) + 2 * (size_t)i] = half ? half[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(false, k, j) + (size_t)i] = whole ? whole[i] : 0;
}

static const char *row_of(const packing *q, int64_t o, int64_t tap, int64_t channels)
{
    const int64_t taps = q->p.kernel[0] * q->p.kernel[1];
    return (const char *)tg_ptr(q->w) + (size_t)((o * taps + tap) * channels) * tg_dtype_size(q->w->dtype);
}

/* A tap of rows o .. end - 1, which are columns next to each other: some k of all of them at a time, which lie in few
 * lines of memory. */
static void pack_forward_tap(const packing *q, int64_t o, int64_t end, int64_t tap)
{
    const tg_panels *p = &q->p;
    const tap_place  at = place_of(p, tap / p->kernel[1], tap % p->kernel[1]);
    for (int64_t i = 0; i < p->in + at.pad; i += 32)
        for (int64_t row = o; row < end; row++) {
            const int64_t column = row % p->out, n = i + 32 < p->in ? 32 : p->in - i;
            char *const   to = panel(q, row / p->out, column / TG_PANEL);
            const int64_t whole = i + 32 < p->in + at.pad ? 32 : p->in + at.pad - i, real = n > 0 ? n : 0;
            if (real)
                put_down(q, row_of(q, row, tap, p->in) + (size_t)i * tg_dtype_size(q->w->dtype), real, to, at.k + i,
                         column % TG_PANEL);
            put_down(q, NULL, whole - real, to, at.k + i + real, column % TG_PANEL);
        }
}

/* The columns behind the last one of a group. */
static void pad_forward(const packing *q, int64_t group)
{
    const tg_panels *p = &q->p;
    for (int64_t j = p->out; j < p->count * TG_PANEL; j++)
        put_down(q, NULL, p->depth, panel(q, group, j / TG_PANEL), 0, j % TG_PANEL);
}

/* A tap of row o: one k of all panels; the last row of a group also writes the k that pad. */
static void pack_backward_tap(const packing *q, int64_t o, int64_t tap)
{
    const tg_panels *p = &q->p;
    const tap_place  at = place_of(p, tap / p->kernel[1], tap % p->kernel[1]);
    const int64_t    channel = o % p->in, pad = channel == p->in - 1 ? at.pad : 0;
    for (int64_t j = 0; j < p->out; j += TG_PANEL) {
        char *const   to = panel(q, o / p->in, j / TG_PANEL);
        const int64_t n = p->out - j < TG_PANEL ? p->out - j : TG_PANEL;
        put_along(q, row_of(q, o, tap, p->out) + (size_t)j * tg_dtype_size(q->w->dtype), n, to, at.k + channel, 0);
        put_along(q, NULL, TG_PANEL - n, to, at.k + channel, n);
        for (int64_t k = 1; k <= pad; k++) put_along(q, NULL, TG_PANEL, to, at.k + channel + k, 0);
    }
}

static void pack(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to)
{
    const packing q = { tg_panels_of(w, key), w, to };
    const int64_t taps = q.p.kernel[0] * q.p.kernel[1];
    for (int64_t tap = 0; tap < taps; tap++)
        if (q.p.backward)
            for (int64_t o = r0; o < r1; o++) pack_backward_tap(&q, o, tap);
        else
            for (int64_t o = r0; o < r1; o += TG_LAYOUT_ROWS)
                pack_forward_tap(&q, o, o + TG_LAYOUT_ROWS < r1 ? o + TG_LAYOUT_ROWS : r1, tap);
    for (int64_t o = r0; o < r1 && !q.p.backward; o++)
        if (o % q.p.out == q.p.out - 1) pad_forward(&q, o / q.p.out);
}

const tg_layout tg_panels_layout = { .name = "panels", .bytes = bytes, .pack = pack };
