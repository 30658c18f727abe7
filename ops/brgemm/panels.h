/* panels.h - weights as microkernels read them: panels of TG_PANEL columns, or of 32 that consist of tiles.
 *
 * A panel of a group has one column for each output of the product (output channels forward, input channels backward)
 * and its depth runs over kernel lines, over classes of taps, over the taps of a class, over channels:
 *
 *     [group][panel][kh][class][tap][channel] of a panel's columns;  bf16: pairs of two channels side by side
 *
 * Taps are of one class if they meet the same output columns: kw dilation = class (mod stride) backward, all of them
 * forward.  They stand from left to right as the input's columns do: rising kw forward, falling kw backward.  Where
 * neighbours meet neighbouring pixels a class is one run (`merged`), else each tap is one.  Runs of bf16 weights are
 * padded to a multiple of TG_DEPTH with zeros, and columns beyond the last are zero.
 *
 * `stacked` (forward, merged): the kernel lines count as channels, [group][panel][kw][kh][channel] is one run.
 *
 * Small groups of w are `joined` for tiles: as many as fill one of TG_DEPTH channels are a group here, whose weights
 * are block-diagonal, with zeros where channels of different groups meet. */
#ifndef TG_PANELS_H
#define TG_PANELS_H
#include "microkernel.h"

typedef struct {
    bool backward, merged, stacked, bf16;
    int64_t groups, kernel[2];
    int64_t joined;            /* groups of w in each group */
    int64_t in, out;           /* of a group: channels that are summed over, and columns */
    int64_t columns, side;     /* of a panel; of those, so many side by side (tiles: TG_TILE) */
    int64_t classes, dilation; /* of columns; classes: 1 or the stride */
    int64_t count;             /* panels of a group */
    int64_t line, depth;       /* k of one kh, and of all */
} tg_panels;

/* w[oc, kh, kw, ic / groups], or [out, in] of a linear layer. */
tg_panels tg_panels_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY]);
/* How many of w's groups are joined. */
int64_t tg_panels_joined(const tg_tensor *w, const tg_microkernel *mk, int64_t groups);
/* The key of what tg_panels_of should give for a microkernel and w's groups; weights that lie the same way merged and
 * not have one. */
void tg_panels_key(const tg_tensor *w, const tg_microkernel *mk, bool backward, bool merged, bool stacked,
                   int64_t groups, int64_t classes, int64_t dilation, int32_t key[TG_LAYOUT_KEY]);
extern const tg_layout tg_panels_layout;

/* The first k of a tap, and k that belong to it beyond the channels: those that pad its run behind its last tap. */
typedef struct {
    int64_t k, pad;
} tg_tap_place;
tg_tap_place tg_place_of(const tg_panels *p, int64_t kh, int64_t kw);

int64_t tg_class_taps(const tg_panels *p, int64_t class_);
int64_t tg_class_start(const tg_panels *p, int64_t class_); /* its first k in a line */

static inline int64_t tg_class_of(const tg_panels *p, int64_t kw) { return kw * p->dilation % p->classes; }
/* k that a run of so many takes */
static inline int64_t tg_run_depth(const tg_panels *p, int64_t k)
{
    return p->bf16 ? (k + TG_DEPTH - 1) / TG_DEPTH * TG_DEPTH : k;
}
#endif
