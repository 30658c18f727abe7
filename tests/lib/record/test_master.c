/* test_master.c - bf16 weights with exact FP32 masters: every bit pattern, the values of hi, access to the elements. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "expect.h"
#include <tilegrad/tilegrad.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float number_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void count_lost(void *context, int64_t index, int worker)
{
    int64_t *lost = context;
    (void)worker;
    for (uint64_t u = (uint64_t)index << 24; u < (uint64_t)(index + 1) << 24; u++) {
        const uint32_t bits = (uint32_t)u;
        lost[index] += tg_join_bits(tg_split_hi(bits), tg_split_lo(bits)) != bits;
    }
}

static void every_bit_pattern_comes_back(void **state)
{
    static int64_t lost[256];
    (void)state;
    tg_parallel(256, count_lost, lost);
    for (int i = 0; i < 256; i++) assert_int_equal(lost[i], 0);
}

static void hi_shows_the_nearest(void **state)
{
    static const struct {
        const char *name;
        uint32_t bits;
        uint16_t hi;
    } row[] = {
        { "one", 0x3f800000, 0x3f80 },
        { "below half", 0x3f807fff, 0x3f80 },
        { "half: away from zero", 0x3f808000, 0x3f81 },
        { "minus half: away from zero", 0xbf808000, 0xbf81 },
        { "zero", 0, 0 },
        { "minus zero", 0x80000000, 0x8000 },
        { "the smallest denormal", 1, 0 },
        { "largest that fits", 0x7f7f7fff, 0x7f7f },
        { "above the range: infinity", 0x7f7f8000, 0x7f80 },
        { "FLT_MAX: infinity", 0x7f7fffff, 0x7f80 },
        { "-FLT_MAX: infinity", 0xff7fffff, 0xff80 },
        { "infinity", 0x7f800000, 0x7f80 },
        { "minus infinity", 0xff800000, 0xff80 },
        { "quiet NaN", 0x7fc00000, 0x7fc0 },
        { "minus quiet NaN", 0xffc00000, 0xffc0 },
        { "NaN that looks infinite", 0x7f807fff, 0x7f80 },
        { "NaN that wraps", 0x7fff8000, 0x8000 },
        { "minus NaN that wraps", 0xffff8000, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (tg_split_hi(row[i].bits) != row[i].hi)
            fail_msg("%s: %04x, want %04x", row[i].name, tg_split_hi(row[i].bits), row[i].hi);
}

/* Uniform in (-1, 1), with all bits of an FP32 value random, so that ties are not more frequent than they should be. */
static float random_weight(uint64_t i)
{
    uint32_t word[4];
    tg_random_bits((tg_stream){ .seed = 5 }, i, word);
    const double unit = ((double)word[0] + (double)word[1] * 0x1p-32) * 0x1p-32;
    return (float)(word[2] & 1 ? unit : -unit);
}

/* The mean of |hi| - |w| is zero within 3 standard deviations.  (Weights must be uniform within a step of hi, as with
 * PyTorch's initialisation: if small weights are likelier than large ones, any rounding is biased.) */
static void hi_is_unbiased(void **state)
{
    enum { N = 10000000 };
    double sum = 0, squares = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        const float w = random_weight(i), shown = tg_bf16_to_f32(tg_split_hi(bits_of(w)));
        const double d = fabs((double)shown) - fabs((double)w);
        sum += d;
        squares += d * d;
    }
    const double mean = sum / N, deviation = sqrt(squares) / N;
    if (fabs(mean) > 3 * deviation) fail_msg("mean %g, standard deviation %g", mean, deviation);
}

static tg_tensor *weights(tg_scope *s, int n)
{
    tg_seed(s, 3);
    return tg_randn(s, 0, 1, 1, TG_DIM(n));
}

static void doors_show_the_master(void **state)
{
    (void)state;
    for (int n = 1; n <= 100; n += 33) {
        tg_scope *s = tg_open();
        tg_tensor *w = weights(s, n), *was = tg_copy(s, w);
        tg_split_masters(s, (tg_tensor *[]){ w, w }, 2);
        assert_true(tg_ok(s) && tg_is_split(w) && w->dtype == TG_BF16);
        const uint16_t *hi = tg_data(w);
        const float *before = tg_data(was);
        for (int i = 0; i < n; i++) assert_int_equal(hi[i], tg_split_hi(bits_of(before[i])));
        tg_tensor *copy = tg_copy(s, w);
        assert_int_equal(copy->dtype, TG_F32);
        assert_memory_equal(tg_data(copy), before, sizeof *before * (size_t)n);
        float *edited = tg_edit(s, w);
        assert_memory_equal(edited, before, sizeof *before * (size_t)n);
        edited[n - 1] = number_of(0x3f80ffff);
        assert_ptr_equal(tg_edit(s, w), edited);
        assert_int_equal(((const uint16_t *)tg_data(w))[n - 1], 0x3f81);
        assert_int_equal(bits_of(((const float *)tg_data(tg_copy(s, w)))[n - 1]), 0x3f80ffff);
        tg_close(s);
    }
}

/* Operators recorded after a tg_edit read the new values; those recorded before it read the old ones. */
static void an_edit_is_settled_by_use(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *w = weights(s, 8);
    tg_split_masters(s, &w, 1);
    tg_tensor *old = tg_cast(s, w, TG_F32);
    const float first = tg_bf16_to_f32(*(const uint16_t *)tg_data(w));
    *(float *)tg_edit(s, w) = 4;
    tg_tensor *new = tg_cast(s, w, TG_F32);
    assert_true(*(const float *)tg_data(new) == 4 && *(const float *)tg_data(old) == first);
    *(float *)tg_edit(s, w) = 5; /* closing the tree with an open edit loses only the edit */
    tg_close(s);
}

static void all_are_split_or_none(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *w = weights(s, 8), *classes = tg_zeros(s, TG_I32, 1, TG_DIM(3));
    tg_split_masters(s, (tg_tensor *[]){ w, classes }, 2);
    assert_string_equal(tg_message(s), "split_masters: a tensor of dtype i32, want an f32 leaf");
    assert_true(!tg_is_split(w) && w->dtype == TG_F32);
    tg_clear(s);
    tg_tensor *y = tg_relu(s, w);
    tg_split_masters(s, &y, 1);
    assert_string_equal(tg_message(s), "split_masters: a tensor of dtype f32, the result of a call, want an f32 leaf");
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_pattern_comes_back),
        cmocka_unit_test(hi_shows_the_nearest),
        cmocka_unit_test(hi_is_unbiased),
        cmocka_unit_test(doors_show_the_master),
        cmocka_unit_test(an_edit_is_settled_by_use),
        cmocka_unit_test(all_are_split_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
