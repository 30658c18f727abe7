/* pack_panels.c - packs weights into panels (panels.h): runs of w become consecutive k of one column, or consecutive
 * columns of one k. */
#include "pack_joined.h"
#include "pack_tiles.h"
#include "panels.h"
#include <string.h>

static size_t panels_bytes(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    const tg_panels p = tg_panels_of(w, key);
    return (size_t)(p.groups * p.count * p.depth * p.columns) * tg_dtype_size(w->dtype);
}

typedef struct {
    tg_panels p;
    const tg_tensor *w;
    void *to;
} packing;

/* In words: f32 elements, or pairs of bf16. */
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

/* Panel n of a group. */
static char *panel(const packing *q, int64_t group, int64_t n)
{
    const int64_t at = (group * q->p.count + n) * q->p.depth * q->p.columns;
    return (char *)q->to + (size_t)at * tg_dtype_size(q->w->dtype);
}

/* Writes n elements (NULL: zeros) to k, k + 1, ... of a column. */
static void put_down(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t column)
{
    const uint16_t *bf16 = from;
    const float *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(&q->p, k + i, column)] = bf16 ? bf16[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(&q->p, k + i, column)] = whole ? whole[i] : 0;
}

/* Writes n elements (NULL: zeros) to columns j, j + 1, ... of a k. */
static void put_along(const packing *q, const void *from, int64_t n, void *to, int64_t k, int64_t j)
{
    const uint16_t *bf16 = from;
    const float *whole = from;
    if (q->p.bf16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[element(&q->p, k, j + i)] = bf16 ? bf16[i] : 0;
    else
        for (int64_t i = 0; i < n; i++) ((float *)to)[element(&q->p, k, j + i)] = whole ? whole[i] : 0;
}

/* Writes zeros to all columns of k, k + 1, ..., which are padding. */
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

/* Four words of 32 bits: f32 elements, or pairs of bf16; need not be aligned to more than a bf16. */
typedef uint32_t words __attribute__((vector_size(16), aligned(2), may_alias));
#if defined __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (uint32_t __attribute__((vector_size(16)))){ i, j, k, l })
#endif

/* Transposes 4 x 4 words: word i of each row goes to row i of `to`, whose rows are `side` words long. */
static inline void transpose_4x4(const char *from, size_t row, uint32_t *to, int64_t side)
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

static bool in_tiles(const tg_panels *p) { return p->side < p->columns; }

/* The part of a tap of rows o to end - 1 that consists of whole tiles; returns how many k. */
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

/* The part of a tap of rows o to end - 1, whose first k is given, that consists of 4 x 4 words; returns how many k: 0
 * if the rows are not a multiple of four columns of one panel, or if k does not begin a pair, in a tile four of them.
 */
static int64_t pack_words(const packing *q, int64_t o, int64_t end, int64_t tap, int64_t k)
{
    const tg_panels *p = &q->p;
    const int64_t word = p->bf16 ? 2 : 1, column = o % p->out, j = column % p->columns, rows = end - o;
    const int64_t whole = p->in / (4 * word) * (4 * word);
    if (rows % 4 || j + rows > p->columns || column + rows > p->out || k % word) return 0;
    if (in_tiles(p) && (j % 4 || k % (4 * word))) return 0;
    uint32_t *const to = (uint32_t *)(void *)panel(q, o / p->out, column / p->columns);
    const size_t row = (size_t)(row_of(q, 1, 0, p->in) - row_of(q, 0, 0, p->in));
    const char *from = row_of(q, o, tap, p->in);
    for (int64_t i = 0; i < whole / word; i += 4)
        for (int64_t r = 0; r < rows; r += 4)
            transpose_4x4(from + (size_t)r * row + 4 * i, row, to + word_of(p, k + i * word, j + r), p->side);
    return whole;
}

/* A tap of rows o to end - 1, which are adjacent columns: some k of all of them at a time, which touch few cache
 * lines. */
static void pack_forward_tap(const packing *q, int64_t o, int64_t end, int64_t tap)
{
    const tg_panels *p = &q->p;
    const tg_tap_range at = tg_tap_range_of(p, tap / p->kernel[1], tap % p->kernel[1]);
    int64_t done = in_tiles(p) ? pack_whole_tiles(q, o, end, tap, at.k) : 0;
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

/* Zeros for the columns after the last one of a group. */
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

/* Writes n elements of two rows to columns 0, 1, ... of a pair of k. */
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

/* The part of a tap of rows o to end - 1 that is pairs of one tile's k and columns of whole tiles; returns how many
 * columns. */
static int64_t pack_tile_rows(const packing *q, int64_t o, int64_t end, int64_t tap)
{
    const tg_panels *p = &q->p;
    const int64_t channel = o % p->in, k = tg_tap_range_of(p, tap / p->kernel[1], tap % p->kernel[1]).k + channel;
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

/* A tap of row o, or of rows o and o + 1 if they are a pair of k: one or two k of all panels from column `first` on.
 * The last row of a group also writes the padding.  Returns how many rows. */
static int64_t pack_backward_tap(const packing *q, int64_t o, int64_t end, int64_t tap, int64_t first)
{
    const tg_panels *p = &q->p;
    const tg_tap_range at = tg_tap_range_of(p, tap / p->kernel[1], tap % p->kernel[1]);
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
        const int64_t first = in_tiles(&q->p) ? pack_tile_rows(q, o, end, tap) : 0;
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

static void panels_pack(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to)
{
    const packing q = { tg_panels_of(w, key), w, to };
    if (q.p.joined > 1) {
        tg_pack_joined(&q.p, w, r0, r1, to);
        return;
    }
    const int64_t taps = q.p.kernel[0] * q.p.kernel[1];
    for (int64_t tap = 0; tap < taps; tap++) {
        if (q.p.backward) pack_backward(&q, r0, r1, tap);
        else pack_forward(&q, r0, r1, tap);
    }
    for (int64_t o = r0; o < r1 && !q.p.backward; o++)
        if (o % q.p.out == q.p.out - 1) pad_forward(&q, o / q.p.out);
}

const tg_layout tg_panels_layout = { .name = "panels", .bytes = panels_bytes, .pack = panels_pack };
