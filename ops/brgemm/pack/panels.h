/* panels.h - packed weights: panels of TG_PANEL columns, or of 32 columns in tiles.
 *
 * A panel of a group has one column for each output of the product (output channels forward, input channels backward).
 * Its k runs over kernel lines, classes of taps, the taps of a class, and channels:
 *
 *     [group][panel][kh][class][tap][channel] of a panel's columns;  bf16: pairs of two channels side by side
 *
 * Taps belong to one class if they contribute to the same output columns: backward those with the same kw dilation mod
 * stride, forward all of them.  Taps stand from left to right as the input's columns do: rising kw forward, falling kw
 * backward.  If neighbouring taps read neighbouring pixels a class is one run (`merged`), otherwise each tap is one.
 * Runs of bf16 weights are padded with zeros to a multiple of TG_DEPTH, and columns beyond the last are zero.
 *
 * `stacked` (forward, merged): kernel lines count as channels; [group][panel][kw][kh][channel] is one run.
 *
 * For tiles, small groups of w are `joined`: as many as TG_DEPTH channels hold become one group, whose weights are
 * block-diagonal, with zeros between channels of different groups. */
#ifndef TG_PANELS_H
#define TG_PANELS_H
#include "op.h"
#include "sizes.h"

typedef struct {
    bool backward, merged, stacked, bf16;
    int64_t groups, kernel[2];
    int64_t joined;            /* groups of w in each group */
    int64_t in, out;           /* of a group: channels summed over, and columns */
    int64_t columns, side;     /* of a panel, and how many of them lie side by side (tiles: TG_TILE) */
    int64_t classes, dilation; /* of taps; classes: 1 or the stride */
    int64_t count;             /* panels of a group */
    int64_t line, depth;       /* k of one kernel line, and of all */
} tg_panels;

/* w[oc, kh, kw, ic / groups], or [out, in] of a linear layer. */
tg_panels tg_panels_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY]);
/* What a key is made of: `columns` of a panel, in tiles or not, and the fields of tg_panels of the same names. */
typedef struct {
    int columns;
    bool tiles, backward, merged, stacked;
    int64_t groups, classes, dilation; /* groups of w */
} tg_panels_form;

/* How many of w's groups are joined. */
int64_t tg_panels_joined(const tg_tensor *w, bool tiles, int64_t groups);
/* Forms in which w lies the same way, merged or not, have the same key. */
void tg_panels_key(const tg_tensor *w, const tg_panels_form *form, int32_t key[TG_LAYOUT_KEY]);
extern const tg_layout tg_panels_layout;

/* The first k of a tap; and if it is the last of its run, how many k pad the run after it. */
typedef struct {
    int64_t k, pad;
} tg_tap_range;
tg_tap_range tg_tap_range_of(const tg_panels *p, int64_t kh, int64_t kw);

int64_t tg_class_taps(const tg_panels *p, int64_t class_);
int64_t tg_class_start(const tg_panels *p, int64_t class_); /* its first k in a line */

static inline int64_t tg_class_of(const tg_panels *p, int64_t kw) { return kw * p->dilation % p->classes; }
/* The k of a run, padded. */
static inline int64_t tg_run_depth(const tg_panels *p, int64_t k)
{
    return p->bf16 ? (k + TG_DEPTH - 1) / TG_DEPTH * TG_DEPTH : k;
}
#endif
