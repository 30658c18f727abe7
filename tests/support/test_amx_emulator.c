/* test_amx_emulator.c - each tile instruction against plain C: the emulator's or, on a processor with tiles, its own,
 * which shows that the two agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amx_emulator.h"
#include <tilegrad/cpu.h>
#include <tilegrad/dtype.h>
#include "tile_code.h"
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum { WORDS = 16 * 16 };
typedef struct {
    int m, k, n;
} product_shape; /* rows, groups of 4 bytes, columns */

static const product_shape products[] = {
    { 16, 16, 16 }, { 1, 1, 1 },   { 15, 16, 16 }, { 16, 15, 16 }, { 16, 16, 15 }, { 14, 16, 16 },
    { 1, 16, 16 },  { 16, 1, 16 }, { 16, 16, 1 },  { 7, 3, 5 },    { 2, 9, 13 },
};
enum { PRODUCTS = sizeof products / sizeof *products };

static uint32_t noise(uint32_t *state) { return *state = *state * 1664525u + 1013904223u, *state >> 8 ^ *state << 24; }

static shapes shapes_of(product_shape p)
{
    shapes s = { .palette = 1, .rows = { (uint8_t)p.m, (uint8_t)p.m, (uint8_t)p.k } };
    s.row_bytes[0] = s.row_bytes[2] = (uint16_t)(4 * p.n);
    s.row_bytes[1] = (uint16_t)(4 * p.k);
    return s;
}

/* ---- configuration ---- */

TILES_USED static void config_test(void **state)
{
    shapes put = one_shape(8, 13, 36), got;
    (void)state;
    memset(&got, 1, sizeof got);
    configure(&put);
    ASM("sttilecfg %0" : "=m"(got) :);
    assert_memory_equal(&put, &got, sizeof put);
    RELEASE();
    ASM("sttilecfg %0" : "=m"(got) :);
    memset(&put, 0, sizeof put);
    assert_memory_equal(&put, &got, sizeof put);
}

TILES_USED static void config_clears_tiles_test(void **state)
{
    const shapes s = one_shape(1, 16, 64);
    uint8_t bytes[1024];
    (void)state;
    memset(bytes, 7, sizeof bytes);
    configure(&s);
    TILELOAD(0, bytes, 64);
    configure(&s);
    TILESTORE(0, bytes, 64);
    RELEASE();
    for (int i = 0; i < 1024; i++) assert_int_equal(bytes[i], 0);
}

/* ---- loads and stores ---- */

/* Loads rows x bytes of a counting pattern at a stride, and stores them over 9s: nothing else may change. */
TILES_USED static void check_copy(int rows, int bytes, long stride, bool second_kind)
{
    static uint8_t from[16 * 200], to[16 * 200];
    const shapes s = one_shape(1, rows, bytes);
    for (int i = 0; i < 16 * 200; i++) from[i] = (uint8_t)(i * 31 + i / 251), to[i] = 9;
    configure(&s);
    if (second_kind) ASM("tileloaddt1 (%0,%1,1), %%tmm0" ::"r"(from), "r"(stride));
    else TILELOAD(0, from, stride);
    TILESTORE(0, to, stride);
    RELEASE();
    for (int i = 0; i < 16 * 200; i++) {
        const bool inside = i / stride < rows && i % stride < bytes;
        assert_int_equal(to[i], inside ? from[i] : 9);
    }
}

static void copy_test(void **state)
{
    (void)state;
    for (int rows = 1; rows <= 16; rows++)
        for (int bytes = 4; bytes <= 64; bytes += 12)
            for (long stride = 64; stride <= 200; stride += 68) check_copy(rows, bytes, stride, rows % 2);
}

TILES_USED static void zero_test(void **state)
{
    const shapes s = one_shape(8, 5, 20);
    uint8_t bytes[1024];
    (void)state;
    memset(bytes, 7, sizeof bytes);
    configure(&s);
    TILELOAD(7, bytes, 64);
    TILEZERO(7);
    TILESTORE(7, bytes, 64);
    RELEASE();
    for (int i = 0; i < 1024; i++) assert_int_equal(bytes[i], i / 64 < 5 && i % 64 < 20 ? 0 : 7);
}

static uint8_t ring[16 * 64];
#define LOAD_BY(operand, ...) \
    ASM("tileloadd " operand ", %%tmm0" ::__VA_ARGS__); \
    TILESTORE(0, out, 64)

static void expect_rows(const uint8_t *out, long at, long stride)
{
    for (int r = 0; r < 4; r++) assert_memory_equal(out + 64 * r, ring + at + r * stride, 16);
}

/* All forms of addresses: an index with each scale, no index, displacements of both sizes. */
TILES_USED static void address_test(void **state)
{
    const shapes s = one_shape(1, 4, 16);
    uint8_t out[4 * 64];
    (void)state;
    for (size_t i = 0; i < sizeof ring; i++) ring[i] = (uint8_t)(i * 7 + i / 256);
    configure(&s);
    LOAD_BY("(%0,%1,2)", "r"(ring), "r"(24L));
    expect_rows(out, 0, 48);
    LOAD_BY("(%0,%1,8)", "r"(ring), "r"(5L));
    expect_rows(out, 0, 40);
    LOAD_BY("17(%0,%1,4)", "r"(ring), "r"(5L));
    expect_rows(out, 17, 20);
    LOAD_BY("-16(%0,%1,1)", "r"(ring + 100), "r"(-20L));
    expect_rows(out, 84, -20);
    LOAD_BY("300(%0,%1,1)", "r"(ring), "r"(33L));
    expect_rows(out, 300, 33);
    LOAD_BY("(%0)", "r"(ring));
    expect_rows(out, 0, 0);
    RELEASE();
}

/* Registers with special encodings: r12 and r13 as a base, an index above r7; rip-relative addresses. */
TILES_USED static void register_test(void **state)
{
    static const shapes s = { .palette = 1, .rows = { 4 }, .row_bytes = { 16 } };
    uint8_t out[4 * 64];
    (void)state;
    for (size_t i = 0; i < sizeof ring; i++) ring[i] = (uint8_t)(i * 11 + i / 256);
    configure(&s);
    register uint8_t *r12 __asm__("r12") = ring + 1;
    register long r14 __asm__("r14") = 36;
    LOAD_BY("(%0,%1,1)", "r"(r12), "r"(r14));
    expect_rows(out, 1, 36);
    register uint8_t *r13 __asm__("r13") = ring + 2;
    register long r9 __asm__("r9") = 20;
    LOAD_BY("(%0,%1,1)", "r"(r13), "r"(r9));
    expect_rows(out, 2, 20);
    RELEASE();
}

/* ---- products ---- */

static float flushed(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }
static float bf16_of(const uint8_t *at)
{
    uint16_t bits;
    memcpy(&bits, at, 2);
    return flushed(tg_bf16_to_f32(bits));
}

/* a: rows of pairs of k; b: a row per pair of k, with a pair per column.  Even and odd k are summed separately. */
static void plain_bf16(product_shape p, const uint8_t *a, const uint8_t *b, float *c)
{
    for (int m = 0; m < p.m; m++)
        for (int n = 0; n < p.n; n++) {
            float sum[2] = { 0, 0 };
            for (int k = 0; k < 2 * p.k; k++)
                sum[k % 2] = flushed(
                    fmaf(bf16_of(a + 64 * m + 2 * k), bf16_of(b + 64 * (k / 2) + 4 * n + 2 * (k % 2)), sum[k % 2]));
            c[16 * m + n] = flushed(flushed(c[16 * m + n]) + flushed(sum[0] + sum[1]));
        }
}

/* Values of all sizes, including denormals, but no NaN, which has more than one bit pattern. */
static uint16_t any_bf16(uint32_t *state, bool wild)
{
    const uint32_t bits = noise(state);
    if (!wild) return tg_f32_to_bf16((float)(int)(bits % 2001) / 1000 - 1);
    return (uint16_t)((bits & 0x807f) | ((bits >> 16) % 5 ? 40 + (bits >> 8) % 60 : (bits >> 8) % 2) << 7);
}

TILES_USED static void check_bf16(product_shape p, bool wild, uint32_t *random)
{
    const shapes s = shapes_of(p);
    uint16_t a[512], b[512];
    float got[WORDS], want[WORDS];
    for (int i = 0; i < 512; i++) a[i] = any_bf16(random, wild), b[i] = any_bf16(random, wild);
    for (int i = 0; i < WORDS; i++) got[i] = want[i] = tg_bf16_to_f32(any_bf16(random, wild)) * 1.001f;
    configure(&s);
    TILELOAD(0, got, 64);
    TILELOAD(1, a, 64);
    TILELOAD(2, b, 64);
    ASM("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" ::);
    TILESTORE(0, got, 64);
    RELEASE();
    plain_bf16(p, (uint8_t *)a, (uint8_t *)b, want);
    for (int i = 0; i < WORDS; i++)
        if (i / 16 < p.m && i % 16 < p.n && memcmp(got + i, want + i, 4))
            fail_msg("%d x %d x %d, element %d: %a, want %a", p.m, p.k, p.n, i, (double)got[i], (double)want[i]);
}

static void bf16_test(void **state)
{
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < PRODUCTS; i++)
        for (int round = 0; round < 20; round++) check_bf16(products[i], round % 2, &random);
}

/* Tiles have their own rounding: the thread's mode has no effect and does not change. */
static void rounding_test(void **state)
{
    uint32_t random = 2;
    const unsigned before = __builtin_ia32_stmxcsr(), to_zero = before | 0x6000;
    (void)state;
    for (int round = 0; round < 4; round++) {
        const shapes s = one_shape(3, 16, 64);
        uint16_t a[512], b[512];
        float got[WORDS] = { 0 }, want[WORDS] = { 0 };
        for (int i = 0; i < 512; i++) a[i] = any_bf16(&random, false), b[i] = any_bf16(&random, false);
        __builtin_ia32_ldmxcsr(to_zero);
        configure(&s);
        TILEZERO(0);
        TILELOAD(1, a, 64);
        TILELOAD(2, b, 64);
        ASM("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" ::);
        TILESTORE(0, got, 64);
        RELEASE();
        const unsigned after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(before);
        assert_int_equal(after & ~0x3fu, to_zero & ~0x3fu);
        plain_bf16(products[0], (uint8_t *)a, (uint8_t *)b, want);
        assert_memory_equal(got, want, sizeof want);
    }
}

static int byte_as(uint8_t byte, bool is_signed) { return is_signed ? (int8_t)byte : byte; }

static void plain_int8(product_shape p, const uint8_t *a, const uint8_t *b, int kind, uint32_t *c)
{
    const bool a_signed = kind < 2, b_signed = kind % 2 == 0; /* ss, su, us, uu */
    for (int m = 0; m < p.m; m++)
        for (int n = 0; n < p.n; n++)
            for (int k = 0; k < 4 * p.k; k++)
                c[16 * m + n] +=
                    (uint32_t)(byte_as(a[64 * m + k], a_signed) * byte_as(b[64 * (k / 4) + 4 * n + k % 4], b_signed));
}

TILES_USED static void check_int8(product_shape p, int kind, uint32_t *random)
{
    const shapes s = shapes_of(p);
    uint8_t a[1024], b[1024];
    uint32_t got[WORDS], want[WORDS];
    for (int i = 0; i < 1024; i++) a[i] = (uint8_t)noise(random), b[i] = (uint8_t)noise(random);
    for (int i = 0; i < WORDS; i++) got[i] = want[i] = noise(random);
    configure(&s);
    TILELOAD(0, got, 64);
    TILELOAD(1, a, 64);
    TILELOAD(2, b, 64);
    if (kind == 0) ASM("tdpbssd %%tmm2, %%tmm1, %%tmm0" ::);
    if (kind == 1) ASM("tdpbsud %%tmm2, %%tmm1, %%tmm0" ::);
    if (kind == 2) ASM("tdpbusd %%tmm2, %%tmm1, %%tmm0" ::);
    if (kind == 3) ASM("tdpbuud %%tmm2, %%tmm1, %%tmm0" ::);
    TILESTORE(0, got, 64);
    RELEASE();
    plain_int8(p, a, b, kind, want);
    for (int i = 0; i < WORDS; i++)
        if (i / 16 < p.m && i % 16 < p.n) assert_int_equal(got[i], want[i]);
}

static void int8_test(void **state)
{
    uint32_t random = 3;
    (void)state;
    for (int i = 0; i < PRODUCTS; i++)
        for (int kind = 0; kind < 4; kind++) check_int8(products[i], kind, &random);
}

/* ---- threads, counts ---- */

TILES_USED static void *own_tiles(void *which)
{
    const int rows = *(const int *)which;
    const shapes s = one_shape(1, rows, 64);
    uint8_t in[1024], out[1024] = { 0 };
    memset(in, rows, sizeof in);
    configure(&s);
    TILELOAD(0, in, 64);
    for (int i = 0; i < 100; i++) {
        sched_yield();
        memset(out, 0, sizeof out);
        TILESTORE(0, out, 64);
        for (int k = 0; k < 1024; k++)
            if (out[k] != (k < 64 * rows ? rows : 0)) return "another thread's tile";
    }
    RELEASE();
    return NULL;
}

static void threads_test(void **state)
{
    static int rows[4] = { 3, 16, 9, 1 };
    pthread_t thread[4];
    (void)state;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(thread + i, NULL, own_tiles, rows + i), 0);
    for (int i = 0; i < 4; i++) {
        void *complaint;
        pthread_join(thread[i], &complaint);
        assert_null(complaint);
    }
}

static void counts_test(void **state)
{
    uint32_t random = 4;
    (void)state;
    if (!amx_emulator_install()) skip();
    amx_forget_counts();
    check_bf16((product_shape){ 14, 16, 16 }, false, &random);
    check_int8((product_shape){ 16, 16, 16 }, 0, &random);
    const amx_counts c = amx_counts_now();
    assert_true(c.configs == 2 && c.releases == 2 && c.products_bf16 == 1 && c.products_int8 == 1);
    assert_true(c.loads == 6 && c.stores == 2 && c.zeros == 0);
    assert_true(c.product_rows == 30 && c.load_rows == 14 + 14 + 16 + 48 && c.store_rows == 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_test),  cmocka_unit_test(config_clears_tiles_test),
        cmocka_unit_test(copy_test),    cmocka_unit_test(zero_test),
        cmocka_unit_test(address_test), cmocka_unit_test(register_test),
        cmocka_unit_test(bf16_test),    cmocka_unit_test(rounding_test),
        cmocka_unit_test(int8_test),    cmocka_unit_test(threads_test),
        cmocka_unit_test(counts_test),
    };
    if (!amx_emulator_install() && !tg_probe_amx().product) {
        printf("skipped: neither tiles nor what their emulator needs\n");
        return 0;
    }
    return cmocka_run_group_tests_name("amx_emulator", tests, NULL, NULL);
}
