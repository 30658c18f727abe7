/* test_shape_text.c - texts that describe a shape, and malformed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shape_text.h"

static void expect_pair(const int64_t got[2], int64_t height, int64_t width)
{
    assert_int_equal(got[0], height);
    assert_int_equal(got[1], width);
}

static void every_field(void **state)
{
    (void)state;
    const conv_shape s = parse_shape("n2 c16-17 9x8 k3x2 s2 p1x0 d2x1 g4 bias exclude_pad: a comment");
    assert_int_equal(s.n, 2);
    assert_int_equal(s.in, 16);
    assert_int_equal(s.out, 17);
    expect_pair(s.image, 9, 8);
    expect_pair(s.kernel, 3, 2);
    expect_pair(s.stride, 2, 2);
    expect_pair(s.pad, 1, 0);
    expect_pair(s.dilation, 2, 1);
    expect_pair(s.out_image, 4, 4);
    assert_int_equal(s.groups, 4);
    assert_true(s.bias && s.exclude_pad);
}

static void defaults(void **state)
{
    (void)state;
    const conv_shape s = parse_shape("n1 c3 5x4 y7x2");
    assert_int_equal(s.in, 3);
    assert_int_equal(s.out, 3);
    expect_pair(s.stride, 1, 1);
    expect_pair(s.pad, 0, 0);
    expect_pair(s.dilation, 1, 1);
    expect_pair(s.out_image, 7, 2);
    assert_int_equal(s.groups, 1);
    assert_false(s.bias || s.exclude_pad);
}

static void malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "n1",
        "c3 5x5 k3",           /* no images */
        "n1 5x5 k3",           /* no channels */
        "n1 c3 k3",            /* no image */
        "n1 c3 2x5 k3",        /* the kernel is larger than the padded image */
        "n1 c3 5x5 k3 s0",     /* no stride */
        "n1 c3 5x5 k",         /* no number */
        "n1 c3- 5x5 k3",       /* half a pair */
        "n1 c3 5x5 k3x",       /* the same */
        "n1 c3 5x5 k3 z2",     /* no such field */
        "n1 c3 5x5 k3 biased", /* no such word */
        "n1  c3 5x5 k3",       /* two spaces */
        "n1 c3 5x5 k3 ",       /* a space at the end */
        "n1 c3 5x5k3",         /* no space */
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        conv_shape s;
        if (read_shape(texts[i], &s)) fail_msg("\"%s\" was accepted", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_field), cmocka_unit_test(defaults),
                                        cmocka_unit_test(malformed) };
    return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
