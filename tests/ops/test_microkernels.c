/* test_microkernels.c - each microkernel on the images and lines that backward-weights packs; and what it may read and
 * write: random products of operands without a byte to spare, whose sums go on in place.
 *
 * Bound: a sum of t terms, all smaller than 1, rounds by at most t 2^-24 of 1 and the sum of their sizes; a result in
 * bf16 by 2^-8 of itself more.
 * A and B have exactly the bytes that microkernel.h promises, so that AddressSanitizer sees what reads beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "attr.h"
#include "b_offset.h"
#include "dispatch.h"
#include <tilegrad/parallel.h>
#include <tilegrad/tilegrad.h>
#include "ints.h"
#include <math.h>
#include <stdio.h>

enum { PRODUCTS = 2000, PACKINGS = 500, MOST_ELEMENTS = 5, MOST_ROWS = 56 };

#define NAME(suffix, isa, kernel) &tg_microkernel_##suffix,
static const tg_microkernel *const microkernels[] = { TG_MICROKERNELS(NAME) };
enum { MICROKERNELS = sizeof microkernels / sizeof *microkernels };

static uint64_t seed;

static int any(int low, int high) /* low .. high */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int)((seed >> 33) % (uint64_t)(high - low + 1));
}

static float any_number(void) { return (float)any(-1000000, 1000000) / 1e6f; }

static bool is_bf16(const tg_microkernel *mk) { return mk->element == TG_BF16; }

static void put(void *to, tg_dtype dtype, int64_t i, float value)
{
    if (dtype == TG_BF16) ((uint16_t *)to)[i] = tg_f32_to_bf16(value);
    else ((float *)to)[i] = value;
}

static double get(const void *from, tg_dtype dtype, int64_t i)
{
    return dtype == TG_BF16 ? (double)tg_bf16_to_f32(((const uint16_t *)from)[i]) : (double)((const float *)from)[i];
}

static void *noise(tg_dtype dtype, int64_t n)
{
    void *to = NULL; /* aligned, with not a byte to spare */
    if (posix_memalign(&to, 64, (size_t)n * tg_dtype_size(dtype))) fail();
    for (int64_t i = 0; i < n; i++) put(to, dtype, i, any_number());
    return to;
}

static bool usable(const tg_microkernel *mk)
{
    if (mk->isa <= tg_max_isa()) return true;
    print_message("%s skipped: this processor lacks its instructions\n", mk->name);
    return false;
}

/* ---- products ---- */

typedef struct {
    const tg_microkernel *mk;
    tg_brgemm p;
    int count, alone; /* batch elements; how many of them only one of two lines uses */
    tg_batch_element batch[MOST_ELEMENTS];
    void *a[MOST_ELEMENTS], *b[MOST_ELEMENTS];
    float *from, *bias;
    void *c;
    int64_t c_count;
} product_case;

/* Rows of all lines; where row r of them begins, in a matrix with these distances. */
static int rows_of(const tg_brgemm *p) { return p->m * (1 + p->extra.count); }
static int64_t row_at(const tg_brgemm *p, int r, int64_t row, int64_t line) { return r / p->m * line + r % p->m * row; }

static int64_t a_place(const tg_brgemm *p, int r, int64_t k)
{
    return row_at(p, r, p->row, p->extra.a) + k * p->step + k / TG_DEPTH * p->gap;
}

static int64_t depth_of_b(const product_case *t) { return is_bf16(t->mk) ? round_up(t->p.k, TG_DEPTH) : t->p.k; }

/* Of the second panel, too. */
static int64_t b_at(const product_case *t, int64_t k, int j)
{
    return b_offset(t->mk, k, j % t->mk->panel) + j / t->mk->panel * t->p.next / (int64_t)sizeof(uint16_t);
}

static void any_operands(product_case *t)
{
    const tg_brgemm *p = &t->p;
    const int64_t k_b = depth_of_b(t);
    const int columns = t->mk->panel * (p->next ? 2 : 1);
    const int64_t size = a_place(p, rows_of(p) - 1, round_up(p->k, t->mk->depth) - 1) + 1;
    for (int i = 0; i < t->count; i++) {
        t->batch[i].a = t->a[i] = noise(t->mk->element, size);
        t->batch[i].b = t->b[i] = noise(t->mk->element, k_b * columns);
        t->batch[i].line = i < t->alone ? any(1, 2) : 0;
        for (int64_t k = p->k; k < k_b; k++)
            for (int j = 0; j < columns; j++) put(t->b[i], t->mk->element, b_at(t, k, j), 0);
    }
}

/* Half of the sizes are whole tiles in every other shape. */
static int any_size(bool odd, int most)
{
    const int unit = odd || most < 16 || any(0, 1) ? 1 : 16;
    return unit * any(1, most / unit);
}

/* Tiles: two panels. */
static void any_panels(product_case *t)
{
    if (any(0, 3)) return;
    t->p.n = 2 * t->mk->panel;
    t->p.next = depth_of_b(t) * t->mk->panel * (int64_t)sizeof(uint16_t);
    t->p.c_row = t->p.n + any(0, 30);
}

/* Others: rows that overlap, as neighbouring pixels do for the taps of a line. */
static void any_overlap(product_case *t)
{
    if (t->p.step > 1 || any(0, 3)) return;
    t->p.row = any(1, 16);
    t->p.k = t->p.row * any(2, 5);
    if (any(0, 1)) t->p.n = any(1, 16);
    t->p.c_row = t->p.n + any(0, 30);
}

/* More lines, of which batch elements may meet one (tiles), planes of A (tiles), rows of c written past the cache,
 * memory fetched ahead. */
static void any_lines(product_case *t, bool odd)
{
    tg_brgemm *p = &t->p;
    p->extra.count = any(0, 3);
    p->m = any_size(odd, MOST_ROWS / (1 + p->extra.count));
    if (t->mk->tiles && p->extra.count == 1 && !p->next) {
        p->m = any_size(odd, 16);
        t->alone = any(0, t->count);
    }
    if (t->mk->tiles) p->gap = any(0, 2) * any(0, 100);
    p->extra.a = p->m * p->row + any(0, 20);
    p->stream = t->mk->tiles && any(0, 1) && p->store == TG_BF16;
    p->c_row = p->stream ? round_up(p->n, 32) + 32 * any(0, 1) : p->c_row;
    p->extra.c = p->m * p->c_row;
    p->prefetch.at = (const char *)t;
    p->prefetch.bytes = any(0, 1) ? (int64_t)sizeof *t : 0;
}

static product_case any_product(const tg_microkernel *mk, bool odd)
{
    product_case t = { .mk = mk, .count = any(0, 7) ? any(1, MOST_ELEMENTS) : 0 };
    tg_brgemm *p = &t.p;
    p->m = any_size(odd, MOST_ROWS);
    p->n = any_size(odd, mk->panel);
    p->k = any_size(odd, 80);
    if (mk->lines && any(0, 1)) p->row = 1, p->step = p->m + any(0, 20);
    else p->step = 1, p->row = round_up(p->k, mk->depth) + any(0, 20);
    p->relu = any(0, 2) == 0;
    p->store = any(0, 1) ? TG_BF16 : TG_F32;
    p->c_row = p->n + any(0, 30);
    (mk->tiles ? any_panels : any_overlap)(&t);
    any_lines(&t, odd);
    t.c_count = (rows_of(p) - 1) * p->c_row + p->n;
    t.c = noise(p->store, t.c_count);
    if (any(0, 2) == 0) p->bias = t.bias = noise(TG_F32, p->n);
    if (any(0, 1) && !p->next) {
        p->from_row = p->n + any(0, 30);
        p->extra.from = p->m * p->from_row;
        p->from = t.from = noise(TG_F32, (rows_of(p) - 1) * p->from_row + p->n);
    }
    p->c = t.c;
    any_operands(&t);
    return t;
}

static void free_product(product_case *t)
{
    for (int i = 0; i < t->count; i++) free(t->a[i]), free(t->b[i]);
    free(t->from), free(t->bias), free(t->c);
}

/* Sums of products, and of their sizes. */
static double sums[MOST_ROWS][TG_PANEL], sizes[MOST_ROWS][TG_PANEL];

static void add_element(const product_case *t, int i)
{
    const tg_brgemm *p = &t->p;
    for (int64_t k = 0; k < p->k; k++) {
        double b[TG_PANEL];
        for (int j = 0; j < p->n; j++) b[j] = get(t->b[i], t->mk->element, b_at(t, k, j));
        for (int r = 0; r < rows_of(p); r++) {
            if (t->batch[i].line && r / p->m != t->batch[i].line - 1) continue;
            const double a = get(t->a[i], t->mk->element, a_place(p, r, k));
            for (int j = 0; j < p->n; j++) sums[r][j] += a * b[j], sizes[r][j] += fabs(a * b[j]);
        }
    }
}

static void add_all(const product_case *t, const float *from)
{
    const tg_brgemm *p = &t->p;
    for (int r = 0; r < rows_of(p); r++)
        for (int j = 0; j < p->n; j++) {
            sums[r][j] = (from ? (double)from[r * p->from_row + j] : 0) + (p->bias ? (double)p->bias[j] : 0);
            sizes[r][j] = 1 + fabs(sums[r][j]);
        }
    for (int i = 0; i < t->count; i++) add_element(t, i);
}

static double want(const product_case *t, int r, int j, double *bound)
{
    const double sum = t->p.relu && sums[r][j] < 0 ? 0 : sums[r][j];
    *bound = ldexp((double)(t->count * t->p.k + 2) * sizes[r][j], -24);
    if (t->p.store == TG_BF16) *bound += ldexp(fabs(sum), -8);
    return sum;
}

static void check_product(const product_case *t, const float *from, const void *before)
{
    const tg_brgemm *p = &t->p;
    const size_t size = tg_dtype_size(p->store);
    add_all(t, from);
    for (int64_t i = 0; i < t->c_count; i++) {
        const int r = (int)(i / p->c_row), j = (int)(i % p->c_row);
        double bound;
        if (j >= p->n) {
            if (memcmp((char *)t->c + (size_t)i * size, (const char *)before + (size_t)i * size, size))
                fail_msg("%s: m %d n %d k %d: wrote behind row %d", t->mk->name, p->m, p->n, (int)p->k, r);
            continue;
        }
        const double w = want(t, r, j, &bound), got = get(t->c, p->store, i);
        if (!(fabs(got - w) <= bound))
            fail_msg("%s: m %d n %d k %d elements %d%s%s%s%s: c[%d][%d] is %.9g, want %.9g +- %.1e", t->mk->name, p->m,
                     p->n, (int)p->k, t->count, p->from ? " from" : "", p->bias ? " bias" : "", p->relu ? " relu" : "",
                     p->store == TG_BF16 ? " bf16" : "", r, j, got, w, bound);
    }
}

static void product_test(void **state)
{
    const tg_microkernel *mk = *state;
    seed = 1;
    if (!usable(mk)) skip();
    for (int i = 0; i < PRODUCTS; i++) {
        product_case t = any_product(mk, i % 2);
        const size_t bytes = (size_t)t.c_count * tg_dtype_size(t.p.store);
        void *before = malloc(bytes);
        float *from = t.from;
        memcpy(before, t.c, bytes);
        if (t.p.store == TG_F32 && any(0, 1)) { /* sums go on in place */
            t.p.from = t.c, t.p.from_row = t.p.c_row, t.p.extra.from = t.p.extra.c;
            from = before;
        }
        mk->run(&t.p, t.batch, t.count);
        check_product(&t, from, before);
        free(before);
        free_product(&t);
    }
    if (mk->leave) mk->leave();
}

/* ---- packing ---- */

typedef struct {
    int rows, n, k, lead, end;
    int64_t x_stride, y_stride;
    tg_dtype dtype;
    void *x, *y; /* k = i: x[i x_stride + j - lead], so that nothing lies before it */
    float c[96 * TG_PANEL];
} packing_case;

static void any_packing(const tg_microkernel *mk, packing_case *t)
{
    t->rows = any(1, 96);
    t->n = any(1, TG_PANEL);
    t->k = any(1, mk->max_k);
    t->lead = any(0, 3) ? 0 : any(0, t->rows);
    t->end = any(0, 3) ? t->rows : any(t->lead, t->rows);
    t->x_stride = t->end - t->lead + any(0, 40);
    t->y_stride = t->n + any(0, 40);
    t->dtype = is_bf16(mk) || any(0, 1) ? TG_BF16 : TG_F32;
    t->x = noise(t->dtype, (t->k - 1) * t->x_stride + t->end - t->lead);
    t->y = noise(t->dtype, (t->k - 1) * t->y_stride + t->n);
}

static void run_packing(const tg_microkernel *mk, packing_case *t)
{
    const tg_packed_sizes at = mk->packed_sizes(t->rows, t->k);
    char *a = aligned_alloc(64, at.a_bytes), *b = aligned_alloc(64, at.b_bytes);
    tg_batch_element batch = { .a = a, .b = b };
    tg_brgemm p = {
        .m = t->rows,
        .n = t->n,
        .k = at.k,
        .row = at.row,
        .step = at.step,
        .c = t->c,
        .c_row = TG_PANEL,
        .store = TG_F32,
    };
    const int most = at.panel_stride ? 16 : t->rows;
    assert_int_equal(at.a_bytes % 64 + at.b_bytes % 64, 0);
    memset(a, 0xff, at.a_bytes), memset(b, 0xff, at.b_bytes); /* NaNs, in either type */
    const char *x = (const char *)t->x - (ptrdiff_t)t->lead * (ptrdiff_t)tg_dtype_size(t->dtype);
    mk->load_a(x, t->dtype, t->x_stride, t->k, t->lead, t->end, t->rows, a);
    mk->load_b(t->y, t->dtype, t->y_stride, t->k, t->n, b);
    for (int r = 0; r < t->rows; r += most) {
        p.m = t->rows - r < most ? t->rows - r : most;
        p.c = t->c + r * TG_PANEL;
        mk->run(&p, &batch, 1);
        batch.a = (const char *)batch.a + at.panel_stride * (int64_t)tg_dtype_size(mk->element);
    }
    free(a), free(b);
}

static void check_packing(const tg_microkernel *mk, const packing_case *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int j = 0; j < t->n; j++) {
            double sum = 0, size = 0;
            for (int i = 0; i < t->k && r >= t->lead && r < t->end; i++) {
                const double x = get(t->x, t->dtype, i * t->x_stride + r - t->lead);
                const double term = x * get(t->y, t->dtype, i * t->y_stride + j);
                sum += term, size += fabs(term);
            }
            const float got = t->c[r * TG_PANEL + j];
            if (!(fabs((double)got - sum) <= ldexp(t->k * size, -24)))
                fail_msg("%s: %d rows (%d to %d), n %d, k %d: [%d][%d] is %g, want %g", mk->name, t->rows, t->lead,
                         t->end, t->n, t->k, r, j, (double)got, sum);
        }
}

static void packing_test(void **state)
{
    static packing_case t;
    const tg_microkernel *mk = *state;
    seed = 2;
    if (!usable(mk) || !mk->packed_sizes) skip();
    for (int i = 0; i < PACKINGS; i++) {
        any_packing(mk, &t);
        run_packing(mk, &t);
        check_packing(mk, &t);
        free(t.x), free(t.y);
    }
    if (mk->leave) mk->leave();
}

/* ---- lines: some channels of k pixels become rows with the pixels side by side ---- */

enum { UNTOUCHED = 0x7f01, BEHIND = 32 };

static void check_line(const tg_microkernel *mk, int rows, int k, int64_t stride, int64_t pitch, int shift)
{
    uint16_t *const x = noise(TG_BF16, (k - 1) * stride + rows);
    const int64_t end = shift + (rows - 1) * pitch + k, size = end + BEHIND;
    uint16_t *const to = malloc((size_t)size * sizeof *to);
    for (int64_t i = 0; i < size; i++) to[i] = UNTOUCHED;
    mk->load_line(x, stride, k, rows, pitch, to + shift);
    for (int64_t at = 0; at < size; at++) {
        const int64_t r = at < shift ? -1 : (at - shift) / pitch, i = at < shift ? 0 : (at - shift) % pitch;
        const bool inside = r >= 0 && r < rows && i < k;
        if (inside ? to[at] != x[i * stride + r] : to[at] != UNTOUCHED && (to[at] || r < 0))
            fail_msg("%s: line of %d pixels, %d rows, pitch %d: element %d of row %d is %04x", mk->name, k, rows,
                     (int)pitch, (int)i, (int)r, to[at]);
    }
    free(x), free(to);
}

static void line_test(void **state)
{
    const tg_microkernel *mk = *state;
    seed = 3;
    if (!usable(mk) || !mk->load_line) skip();
    for (int i = 0; i < PACKINGS; i++) {
        const int rows = any_size(i % 2, 96), k = any_size(i % 4 < 2, 80);
        check_line(mk, rows, k, rows + any(0, 40), k + any(0, 6), any(0, 5));
    }
}

/* ---- tiles are given back at the end of a task: other code configures them otherwise ---- */

static bool tiles_configured(void)
{
    uint8_t config[64] = { 0 };
    __asm__ volatile("sttilecfg %0" : "=m"(config));
    return config[0] != 0;
}

/* Runs the operator on inputs in bf16, which tiles must be chosen for. */
static void run_on_tiles(const tg_op *op, tg_scope *s, tg_tensor *a, tg_tensor *b, const void *attr)
{
    tg_call c = { .op = op, .in = { a, b }, .attr = attr, .scope = s, .where = "" };
    op->infer(s, &c);
    if (!tg_ok(s)) fail_msg("%s", tg_message(s));
    assert_string_equal(tg_choose(&c)->name, "brgemm_amx_bf16");
    tg_tensor *in[TG_MAX_IN] = { a, b };
    assert_non_null(tg_data(tg_apply(s, op, in, attr)));
    assert_false(tiles_configured());
}

static tg_tensor *bf16_leaf(tg_scope *s, int rank, const int64_t *dim)
{
    static uint16_t zeros[8 * 9 * 9 * 40];
    return tg_from(s, TG_BF16, rank, dim, zeros);
}

static void leave_test(void **state)
{
    const tg_conv2d_attr a = { { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { 9, 9 }, { 3, 3 } };
    const int before = tg_threads();
    (void)state;
    if (tg_max_isa() < TG_ISA_AMX) skip();
    tg_set_threads(1); /* tiles belong to a thread: this one's can be looked at */
    tg_scope *s = tg_open();
    tg_tensor *x = bf16_leaf(s, 4, TG_DIM(8, 9, 9, 40)), *y = bf16_leaf(s, 4, TG_DIM(8, 9, 9, 36));
    tg_tensor *w = bf16_leaf(s, 4, TG_DIM(36, 3, 3, 40));
    run_on_tiles(&tg_conv2d_op, s, x, w, &a);
    run_on_tiles(&tg_conv2d_grad_x_op, s, y, w, &a);
    run_on_tiles(&tg_conv2d_grad_w_op, s, y, x, &a);
    tg_tensor *rows = bf16_leaf(s, 2, TG_DIM(50, 40)), *out = bf16_leaf(s, 2, TG_DIM(50, 30));
    tg_tensor *matrix = bf16_leaf(s, 2, TG_DIM(30, 40));
    run_on_tiles(&tg_linear_op, s, rows, matrix, NULL);
    run_on_tiles(&tg_linear_grad_x_op, s, out, matrix, NULL);
    run_on_tiles(&tg_linear_grad_w_op, s, out, rows, NULL);
    tg_close(s);
    tg_set_threads(before);
}

int main(void)
{
    static const struct {
        const char *kind;
        CMUnitTestFunction run;
    } kinds[] = {
        { "products", product_test },
        { "packing", packing_test },
        { "lines", line_test },
    };
    enum { KINDS = sizeof kinds / sizeof *kinds };
    static char names[MICROKERNELS * KINDS][64];
    struct CMUnitTest tests[MICROKERNELS * KINDS + 1];
    size_t n = 0;
    for (int i = 0; i < MICROKERNELS; i++)
        for (int k = 0; k < KINDS; k++, n++) {
            snprintf(names[n], sizeof *names, "%s/%s", microkernels[i]->name, kinds[k].kind);
            tests[n] = (struct CMUnitTest){ names[n], kinds[k].run, NULL, NULL, (void *)(uintptr_t)microkernels[i] };
        }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(leave_test);
    return _cmocka_run_group_tests("microkernels", tests, n, NULL, NULL);
}
