/* panels.c - see panels.h. */
#include "panels.h"
#include "ints.h"
#include "pack_joined.h"
#include "pack_tiles.h"
#include <string.h>

enum { BACKWARD, MERGED, GROUPS, CLASSES, DILATION, COLUMNS, TILES, STACKED };

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

/* A tile multiplies TG_DEPTH channels by TG_TILE, however few there are. */
static int64_t joined_groups(const tg_tensor *w, int64_t groups)
{
    const int64_t largest = imax(w->dim[0] / groups, w->dim[w->rank - 1]);
    int64_t joined = imin(groups, TG_DEPTH / largest);
    while (joined > 1 && groups % joined) joined--;
    return imax(joined, 1);
}

int64_t tg_panels_joined(const tg_tensor *w, const tg_microkernel *mk, int64_t groups)
{
    return mk->tiles ? joined_groups(w, groups) : 1;
}

tg_panels tg_panels_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    tg_panels p = {
        .backward = key[BACKWARD],
        .merged = key[MERGED],
        .stacked = key[STACKED],
        .bf16 = w->dtype == TG_BF16,
        .joined = key[TILES] ? joined_groups(w, key[GROUPS]) : 1,
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

void tg_panels_key(const tg_tensor *w, const tg_microkernel *mk, bool backward, bool merged, bool stacked,
                   int64_t groups, int64_t classes, int64_t dilation, int32_t key[TG_LAYOUT_KEY])
{
    const int64_t in = (backward ? w->dim[0] / groups : w->dim[w->rank - 1]) * tg_panels_joined(w, mk, groups);
    memset(key, 0, sizeof *key * TG_LAYOUT_KEY);
    key[BACKWARD] = backward;
    key[MERGED] = merged || w->dtype != TG_BF16 || in % TG_DEPTH == 0;
    key[GROUPS] = (int32_t)groups;
    key[CLASSES] = (int32_t)classes;
    key[DILATION] = (int32_t)(dilation % classes); /* all that tells classes apart */
    key[COLUMNS] = mk->panel;
    key[TILES] = mk->tiles;
    key[STACKED] = stacked;
}

static size_t bytes(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    const tg_panels p = tg_panels_of(w, key);
    return (size_t)(p.groups * p.count * p.depth * p.columns) * tg_dtype_size(w->dtype);
}

/* ---- packing: by runs of w whose elements become consecutive k of one column, or columns of one k ---- */

typedef struct {
    tg_panels p;
    const tg_tensor *w;
    void *to;
} packing;

static tg_tap_place stacked_place(const tg_panels *p, int64_t kh, int64_t kw)
{
    const int64_t tap = kw * p->kernel[0] + kh, taps = p->kernel[0] * p->kernel[1];
    return (tg_tap_place){ tap * p->in, tap == taps - 1 ? p->line - taps * p->in : 0 };
}

tg_tap_place tg_place_of(const tg_panels *p, int64_t kh, int64_t kw)
{
    if (p->stacked) return stacked_place(p, kh, kw);
    const int64_t class_ = tg_class_of(p, kw), start = kh * p->line + tg_class_start(p, class_);
    const int64_t apart = tg_run_depth(p, p->in), taps = tg_class_taps(p, class_);
    int64_t before = 0;
    for (int64_t i = 0; i < kw; i++) before += tg_class_of(p, i) == class_;
    if (p->backward) before = taps - 1 - before;
    if (!p->merged) return (tg_tap_place){ start + before * apart, apart - p->in };
    return (tg_tap_place){ start + before * p->in,
                           before == taps - 1 ? tg_run_depth(p, taps * p->in) - taps * p->in : 0 };
}

/* In words: numbers in f32, or pairs of bf16. */
static int64_t word_of(const tg_panels *p, int64_t k, int64_t column)
{
    const int64_t row = p->bf16 ? k / 2 : k, tile = p->columns / p->side;
    if (tile == 1) return row * p->columns + column;
    return ((row / TG_TILE * tile + column / TG_TILE) * TG_TILE + row % TG_TILE) * TG_TILE + column % TG_TILE;
}

static size_t element(const tg_panels *p, int64_t k, int64_t column)
{
    return (size_t)(p->bf16 ? 2 * word_of(p, k, column) + k % 2 : word_of(p, k, column));
}

/* The depth of a panel, where its first column is column 0 of it. */
static char *panel(const packing *q, int64_t group, int64_t n)
{
    const int64_t at = (group * q->p.count + n) * q->p.depth * q->p.columns;
    return (char *)q->to + (size_t)at * tg_dtype_size(q->w->dtype);
}

/* n elements (NULL: zeros) become k, k + 1, .. of a column */
static void put_down(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t column)
{
    const uint16_t *bf16 = from;
    const float *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(&q->p, k + i, column)] = bf16 ? bf16[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(&q->p, k + i, column)] = whole ? whole[i] : 0;
}

/* n elements (NULL: zeros) become columns j, j + 1, .. of a k */
static void put_along(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t j)
{
    const uint16_t *bf16 = from;
    const float *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(&q->p, k, j + i)] = bf16 ? bf16[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(&q->p, k, j + i)] = whole ? whole[i] : 0;
}

/* All columns of k, k + 1, .. are zeros: those that pad */
static void put_zeros(const packing *q, void *to, int64_t k, int64_t n)
{
    const tg_panels *p = &q->p;
    const int64_t word = p->bf16 ? 2 : 1;
    for (; n > 0; k++, n--) {
        if (k % word == 0 && n >= word) {
            for (int64_t j = 0; j < p->columns; j += p->side)
                memset((uint32_t *)to + word_of(p, k, j), 0, (size_t)p->side * sizeof(uint32_t));
            k += word - 1, n -= word - 1;
        } else {
            put_along(q, NULL, p->columns, to, k, 0);
        }
    }
}

static const char *row_of(const packing *q, int64_t o, int64_t tap, int64_t channels)
{
    const int64_t taps = q->p.kernel[0] * q->p.kernel[1];
    return (const char *)tg_ptr(q->w) + (size_t)((o * taps + tap) * channels) * tg_dtype_size(q->w->dtype);
}

/* Four words of 32 bits: numbers in f32, or pairs of bf16, which may lie at any of them. */
typedef uint32_t words __attribute__((vector_size(16), aligned(2), may_alias));
#if defined __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (uint32_t __attribute__((vector_size(16)))){ i, j, k, l })
#endif

/* Word i of each of four rows becomes one of the four words of to's row i; its rows are `side` words long. */
static inline void transpose(const char *from, size_t row, uint32_t *to, int64_t side)
{
    const words a = *(const words *)from, b = *(const words *)(from + row);
    const words c = *(const words *)(from + 2 * row), d = *(const words *)(from + 3 * row);
    const words ab0 = SHUFFLE(a, b, 0, 4, 1, 5), ab1 = SHUFFLE(a, b, 2, 6, 3, 7);
    const words cd0 = SHUFFLE(c, d, 0, 4, 1, 5), cd1 = SHUFFLE(c, d, 2, 6, 3, 7);
    *(words *)to = SHUFFLE(ab0, cd0, 0, 1, 4, 5);
    *(words *)(to + side) = SHUFFLE(ab0, cd0, 2, 3, 6, 7);
    *(words *)(to + 2 * side) = SHUFFLE(ab1, cd1, 0, 1, 4, 5);
    *(words *)(to + 3 * side) = SHUFFLE(ab1, cd1, 2, 3, 6, 7);
}

static bool tiles(const tg_panels *p) { return p->side < p->columns; }

/* The same as far as it consists of whole tiles. */
static int64_t pack_whole_tiles(const packing *q, int64_t o, int64_t end, int64_t tap, int64_t k)
{
    const tg_panels *p = &q->p;
    const int64_t column = o % p->out, j = column % p->columns, whole = p->in / TG_DEPTH * TG_DEPTH;
    if (end - o != TG_TILE || j % TG_TILE || column + TG_TILE > p->out || k % TG_DEPTH) return 0;
    uint32_t *const to = (uint32_t *)(void *)panel(q, o / p->out, column / p->columns);
    const size_t row = (size_t)(row_of(q, 1, 0, p->in) - row_of(q, 0, 0, p->in));
    const char *from = row_of(q, o, tap, p->in);
    for (int64_t i = 0; i < whole; i += TG_DEPTH, from += 2 * TG_DEPTH)
        tg_tile_of_columns(from, row, to + word_of(p, k + i, j));
    return whole;
}

/* A tap of rows o .. end - 1, whose first k is given, as far as it consists of blocks of words; returns how many k:
 * none if the rows are not a multiple of four columns of one panel, or if k does not begin a pair, or four of them in a
 * tile. */
static int64_t pack_words(const packing *q, int64_t o, int64_t end, int64_t tap, int64_t k)
{
    const tg_panels *p = &q->p;
    const int64_t word = p->bf16 ? 2 : 1, column = o % p->out, j = column % p->columns, rows = end - o;
    const int64_t whole = p->in / (4 * word) * (4 * word);
    if (rows % 4 || j + rows > p->columns || column + rows > p->out || k % word) return 0;
    if (tiles(p) && (j % 4 || k % (4 * word))) return 0;
    uint32_t *const to = (uint32_t *)(void *)panel(q, o / p->out, column / p->columns);
    const size_t row = (size_t)(row_of(q, 1, 0, p->in) - row_of(q, 0, 0, p->in));
    const char *from = row_of(q, o, tap, p->in);
    for (int64_t i = 0; i < whole / word; i += 4)
        for (int64_t r = 0; r < rows; r += 4)
            transpose(from + (size_t)r * row + 4 * i, row, to + word_of(p, k + i * word, j + r), p->side);
    return whole;
}

/* A tap of rows o .. end - 1, which are columns next to each other: some k of all of them at a time, which lie in few
 * lines of memory. */
static void pack_forward_tap(const packing *q, int64_t o, int64_t end, int64_t tap)
{
    const tg_panels *p = &q->p;
    const tg_tap_place at = tg_place_of(p, tap / p->kernel[1], tap % p->kernel[1]);
    int64_t done = tiles(p) ? pack_whole_tiles(q, o, end, tap, at.k) : 0;
    if (!done) done = pack_words(q, o, end, tap, at.k);
    for (int64_t i = done; i < p->in + at.pad; i += 32)
        for (int64_t row = o; row < end; row++) {
            const int64_t column = row % p->out, n = i + 32 < p->in ? 32 : p->in - i;
            char *const to = panel(q, row / p->out, column / p->columns);
            const int64_t whole = i + 32 < p->in + at.pad ? 32 : p->in + at.pad - i, real = n > 0 ? n : 0;
            if (real)
                put_down(q, row_of(q, row, tap, p->in) + (size_t)i * tg_dtype_size(q->w->dtype), real, to, at.k + i,
                         column % p->columns);
            put_down(q, NULL, whole - real, to, at.k + i + real, column % p->columns);
        }
}

/* The columns behind the last one of a group: some lie side by side. */
static void pad_forward(const packing *q, int64_t group)
{
    const tg_panels *p = &q->p;
    const int64_t first = p->out % p->columns, word = p->bf16 ? 2 : 1;
    uint32_t *const to = (uint32_t *)(void *)panel(q, group, p->count - 1);
    for (int64_t k = 0; k < p->depth && first; k += word)
        for (int64_t j = first, n; j < p->columns; j += n) {
            n = p->side - j % p->side;
            memset(to + word_of(p, k, j), 0, (size_t)n * sizeof *to);
        }
}

/* n elements of two rows become columns 0, 1, .. of a pair of k. */
static void put_pairs(const packing *q, const void *even, const void *odd, int64_t n, void *to, int64_t k)
{
    for (int64_t j = 0; j < n; j += q->p.side) {
        const uint16_t *restrict one = (const uint16_t *)even + j, *restrict other = (const uint16_t *)odd + j;
        uint16_t *restrict pair = (uint16_t *)to + element(&q->p, k, j);
        const int64_t some = n - j < q->p.side ? n - j : q->p.side;
        for (int64_t i = 0; i < some; i++) {
            pair[2 * i] = one[i];
            pair[2 * i + 1] = other[i];
        }
    }
}

/* A tap of rows o .. end - 1, as far as they are pairs of one tile's k and the columns of whole tiles; returns how many
 * columns. */
static int64_t pack_tile_rows(const packing *q, int64_t o, int64_t end, int64_t tap)
{
    const tg_panels *p = &q->p;
    const int64_t channel = o % p->in, k = tg_place_of(p, tap / p->kernel[1], tap % p->kernel[1]).k + channel;
    const int64_t rows = end - o;
    const int64_t columns = 2 * TG_TILE, whole = p->out / columns * columns;
    if (k % 2 || rows % 2 || k % TG_DEPTH + rows > TG_DEPTH || channel + rows > p->in || p->columns != columns)
        return 0;
    const char *from = row_of(q, o, tap, p->out);
    const size_t row = (size_t)(row_of(q, 1, 0, p->out) - row_of(q, 0, 0, p->out));
    for (int64_t j = 0; j < whole; j += columns, from += columns * (int64_t)sizeof(uint16_t)) {
        uint16_t *const to = (uint16_t *)(void *)panel(q, o / p->in, j / columns) + element(p, k, 0);
        tg_tile_rows_of_pairs(from, row, rows / 2, to, to + element(p, 0, TG_TILE));
    }
    return whole;
}

/* A tap of row o, or of it and the next if they are a pair of k: one or two k of all panels from column `first` on; the
 * last row of a group also writes the k that pad.  Returns the rows. */
static int64_t pack_backward_tap(const packing *q, int64_t o, int64_t end, int64_t tap, int64_t first)
{
    const tg_panels *p = &q->p;
    const tg_tap_place at = tg_place_of(p, tap / p->kernel[1], tap % p->kernel[1]);
    const int64_t channel = o % p->in, k = at.k + channel;
    const bool pair = p->bf16 && k % 2 == 0 && o + 1 < end && channel + 1 < p->in;
    const char *from = row_of(q, o, tap, p->out), *next = row_of(q, o + pair, tap, p->out);
    const size_t size = tg_dtype_size(q->w->dtype);
    for (int64_t j = first; j < p->out; j += p->columns) {
        char *const to = panel(q, o / p->in, j / p->columns);
        const int64_t n = p->out - j < p->columns ? p->out - j : p->columns;
        if (pair) put_pairs(q, from + (size_t)j * size, next + (size_t)j * size, n, to, k);
        else put_along(q, from + (size_t)j * size, n, to, k, 0);
        for (int64_t i = 0; i <= pair; i++) put_along(q, NULL, p->columns - n, to, k + i, n);
    }
    if (channel + pair == p->in - 1)
        for (int64_t j = 0; j < p->count; j++) put_zeros(q, panel(q, o / p->in, j), k + pair + 1, at.pad);
    return 1 + pair;
}

static void pack_backward(const packing *q, int64_t r0, int64_t r1, int64_t tap)
{
    for (int64_t o = r0, end; o < r1; o = end) {
        end = r1 - o < TG_LAYOUT_ROWS ? r1 : o + TG_LAYOUT_ROWS;
        const int64_t first = tiles(&q->p) ? pack_tile_rows(q, o, end, tap) : 0;
        for (int64_t row = o; row < end;) row += pack_backward_tap(q, row, end, tap, first);
    }
}

static void pack_forward(const packing *q, int64_t r0, int64_t r1, int64_t tap)
{
    for (int64_t o = r0, n; o < r1; o += n) {
        n = r1 - o < TG_LAYOUT_ROWS ? r1 - o : TG_LAYOUT_ROWS;
        if (n > 4) n = n / 4 * 4;
        pack_forward_tap(q, o, o + n, tap);
    }
}

static void pack(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to)
{
    const packing q = { tg_panels_of(w, key), w, to };
    if (q.p.joined > 1) {
        tg_pack_joined(&q.p, w, r0, r1, to);
        return;
    }
    const int64_t taps = q.p.kernel[0] * q.p.kernel[1];
    for (int64_t tap = 0; tap < taps; tap++) (q.p.backward ? pack_backward : pack_forward)(&q, r0, r1, tap);
    for (int64_t o = r0; o < r1 && !q.p.backward; o++)
        if (o % q.p.out == q.p.out - 1) pad_forward(&q, o / q.p.out);
}

const tg_layout tg_panels_layout = { .name = "panels", .bytes = bytes, .pack = pack };
