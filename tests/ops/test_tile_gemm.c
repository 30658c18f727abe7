/* test_tile_gemm.c - macro-tiles of backward-weights: random shapes summed over some steps, of operands that are packed
 * into exactly their bytes, so that AddressSanitizer sees what reads or writes beyond.
 *
 * Bound: a sum of t terms rounds by at most t 2^-24 of the sum of their sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dispatch.h"
#include "microkernel.h"
#include <tilegrad/tilegrad.h>
#include <math.h>

enum { CASES = 500, MOST_STEPS = 5 };

static uint64_t seed = 3;

static int any(int low, int high) /* low .. high */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int)((seed >> 33) % (uint64_t)(high - low + 1));
}

static float any_number(void) { return (float)any(-1000000, 1000000) / 1e6f; }

static uint16_t *halves(int64_t n)
{
    uint16_t *to = malloc((size_t)n * sizeof *to + (n == 0));
    for (int64_t i = 0; i < n; i++) to[i] = tg_f32_to_bf16(any_number());
    return to;
}

static float *singles(int64_t n)
{
    float *to = malloc((size_t)n * sizeof *to);
    for (int64_t i = 0; i < n; i++) to[i] = any_number();
    return to;
}

static double from_bf16(const uint16_t *from, int64_t i) { return (double)tg_bf16_to_f32(from[i]); }

typedef struct {
    int m, n, lead, end, steps;
    int k[MOST_STEPS];
    int64_t x_stride, y_stride, row;
    bool add;
    uint16_t *x[MOST_STEPS], *y[MOST_STEPS]; /* column j of place i: x[i x_stride + j - lead] */
    float *c, *before;
} tile_case;

static void any_case(tile_case *t)
{
    const bool wide = any(0, 1);
    t->m = any(1, wide ? 16 : 32);
    t->n = any(1, wide ? 64 : 32);
    t->lead = any(0, 3) ? 0 : any(0, t->n);
    t->end = any(0, 3) ? t->n : any(t->lead, t->n);
    t->steps = any(0, MOST_STEPS);
    t->x_stride = t->end - t->lead + any(0, 40);
    t->y_stride = t->m + any(0, 40);
    for (int s = 0; s < t->steps; s++) {
        t->k[s] = any(0, 1) ? TG_IMAGES : any(1, TG_IMAGES);
        t->x[s] = halves((t->k[s] - 1) * t->x_stride + t->end - t->lead);
        t->y[s] = halves((t->k[s] - 1) * t->y_stride + t->m);
    }
    t->row = t->n + any(0, 30);
    t->add = any(0, 1);
    t->c = singles((t->m - 1) * t->row + t->n);
    t->before = malloc((size_t)((t->m - 1) * t->row + t->n) * sizeof *t->c);
    memcpy(t->before, t->c, (size_t)((t->m - 1) * t->row + t->n) * sizeof *t->c);
}

static void *nans(int64_t bytes) { return memset(aligned_alloc(64, (size_t)bytes), 0xff, (size_t)bytes); }

static void run_case(const tg_tile_gemm *mk, tile_case *t)
{
    const int columns = (t->n + TG_TILE - 1) / TG_TILE * TG_TILE;
    const int64_t a_bytes = t->m * 2 * TG_IMAGES, b_bytes = columns * 2 * TG_IMAGES;
    char *a = nans(a_bytes * MOST_STEPS), *b = nans(b_bytes * MOST_STEPS);
    tg_tile_step step[MOST_STEPS];
    for (int s = 0, at = MOST_STEPS - t->steps; s < t->steps; s++, at++) {
        step[s] = (tg_tile_step){ at * a_bytes, at * b_bytes };
        mk->load_a(t->y[s], t->y_stride, t->k[s], t->m, (uint16_t *)(void *)(a + step[s].a));
        mk->load_b(t->x[s] - t->lead, t->x_stride, t->k[s], t->lead, t->end, columns,
                   (uint16_t *)(void *)(b + step[s].b));
    }
    const tg_tile_product p = {
        .m = t->m,
        .n = t->n,
        .a = a,
        .b = b,
        .b_stride = TG_B_TILE,
        .c = t->c,
        .row = t->row,
        .add = t->add,
        .step = step,
        .count = t->steps,
    };
    mk->run(&p, t->c);
    free(a), free(b);
}

static void check_case(const tile_case *t, int r, int j)
{
    double sum = t->add ? (double)t->before[r * t->row + j] : 0, size = fabs(sum);
    for (int s = 0; s < t->steps; s++)
        for (int i = 0; i < t->k[s] && j >= t->lead && j < t->end; i++) {
            const double term =
                from_bf16(t->x[s], i * t->x_stride + j - t->lead) * from_bf16(t->y[s], i * t->y_stride + r);
            sum += term, size += fabs(term);
        }
    const float got = t->c[r * t->row + j];
    if (!(fabs((double)got - sum) <= ldexp((t->steps * TG_IMAGES + 1) * size, -24)))
        fail_msg("block %d x %d (%d to %d), %d steps: [%d][%d] is %g, want %g", t->m, t->n, t->lead, t->end, t->steps,
                 r, j, (double)got, sum);
}

static void tile_gemm_test(void **state)
{
    const tg_tile_gemm *mk = tg_microkernel_amx_bf16.tile_gemm;
    tile_case t;
    (void)state;
    if (tg_max_isa() < TG_ISA_AMX) skip();
    for (int i = 0; i < CASES; i++) {
        any_case(&t);
        run_case(mk, &t);
        for (int64_t at = 0; at < (t.m - 1) * t.row + t.n; at++) {
            if (at % t.row < t.n) check_case(&t, (int)(at / t.row), (int)(at % t.row));
            else assert_memory_equal(t.c + at, t.before + at, sizeof *t.c);
        }
        for (int s = 0; s < t.steps; s++) free(t.x[s]), free(t.y[s]);
        free(t.c), free(t.before);
    }
    mk->leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tile_gemm_test) };
    return cmocka_run_group_tests_name("tile_gemm", tests, NULL, NULL);
}
