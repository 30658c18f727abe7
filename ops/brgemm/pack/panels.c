/* panels.c - the shape of packed weights: see panels.h. */
#include "panels.h"
#include "ints.h"
#include <string.h>

enum { BACKWARD, MERGED, GROUPS, CLASSES, DILATION, COLUMNS, TILES, STACKED };

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

/* A tile multiplies TG_DEPTH channels by TG_TILE, however few of them are in use. */
static int64_t joined_groups(const tg_tensor *w, int64_t groups)
{
    const int64_t largest = imax(w->dim[0] / groups, w->dim[w->rank - 1]);
    int64_t joined = imin(groups, TG_DEPTH / largest);
    while (joined > 1 && groups % joined) joined--;
    return imax(joined, 1);
}

int64_t tg_panels_joined(const tg_tensor *w, bool tiles, int64_t groups)
{
    return tiles ? joined_groups(w, groups) : 1;
}

tg_panels tg_panels_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    tg_panels p = {
        .backward = key[BACKWARD],
        .merged = key[MERGED],
        .stacked = key[STACKED],
        .bf16 = w->dtype == TG_BF16,
        .joined = tg_panels_joined(w, key[TILES], key[GROUPS]),
        .kernel = { 1, 1 },
        .classes = key[CLASSES],
        .dilation = key[DILATION],
        .columns = key[COLUMNS],
        .side = key[TILES] ? TG_TILE : key[COLUMNS],
    };
    p.groups = key[GROUPS] / p.joined;
    const int64_t of = w->dim[0] / p.groups, in = w->dim[w->rank - 1] * p.joined;
    if (w->rank == 4) p.kernel[0] = w->dim[1], p.kernel[1] = w->dim[2];
    p.in = p.backward ? of : in;
    p.out = p.backward ? in : of;
    p.count = (p.out + p.columns - 1) / p.columns;
    p.line = p.stacked ? tg_run_depth(&p, p.kernel[0] * p.kernel[1] * p.in) : tg_class_start(&p, p.classes);
    p.depth = p.stacked ? p.line : p.kernel[0] * p.line;
    return p;
}

void tg_panels_key(const tg_tensor *w, const tg_panels_form *form, int32_t key[TG_LAYOUT_KEY])
{
    const int64_t own = form->backward ? w->dim[0] / form->groups : w->dim[w->rank - 1];
    const int64_t in = own * tg_panels_joined(w, form->tiles, form->groups);
    memset(key, 0, sizeof *key * TG_LAYOUT_KEY);
    key[BACKWARD] = form->backward;
    key[MERGED] = form->merged || w->dtype != TG_BF16 || in % TG_DEPTH == 0;
    key[GROUPS] = (int32_t)form->groups;
    key[CLASSES] = (int32_t)form->classes;
    key[DILATION] = (int32_t)(form->dilation % form->classes); /* classes depend on no more than this */
    key[COLUMNS] = form->columns;
    key[TILES] = form->tiles;
    key[STACKED] = form->stacked;
}

static tg_tap_range stacked_range(const tg_panels *p, int64_t kh, int64_t kw)
{
    const int64_t tap = kw * p->kernel[0] + kh, taps = p->kernel[0] * p->kernel[1];
    return (tg_tap_range){ tap * p->in, tap == taps - 1 ? p->line - taps * p->in : 0 };
}

tg_tap_range tg_tap_range_of(const tg_panels *p, int64_t kh, int64_t kw)
{
    if (p->stacked) return stacked_range(p, kh, kw);
    const int64_t class_ = tg_class_of(p, kw), start = kh * p->line + tg_class_start(p, class_);
    const int64_t stride = tg_run_depth(p, p->in), taps = tg_class_taps(p, class_);
    int64_t before = 0;
    for (int64_t i = 0; i < kw; i++) before += tg_class_of(p, i) == class_;
    if (p->backward) before = taps - 1 - before;
    if (!p->merged) return (tg_tap_range){ start + before * stride, stride - p->in };
    return (tg_tap_range){ start + before * p->in,
                           before == taps - 1 ? tg_run_depth(p, taps * p->in) - taps * p->in : 0 };
}
