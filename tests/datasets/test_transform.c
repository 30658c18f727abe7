/* test_transform.c - crops and mirroring of an image, and the order of the images in an epoch. */
#include "transform.h"
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <cmocka.h>

enum { COUNT = 3, H = 5, W = 20, SIZE = H * W * 3 };

static double shown(const tg_dataset *d, int64_t i, int y, int x, int k, tg_view v)
{
    const int column = (v.mirror ? d->w - 1 - x : x) + v.right, row = y + v.down;
    const bool inside = row >= 0 && row < d->h && column >= 0 && column < d->w;
    const uint8_t byte = inside ? d->images[((i * d->h + row) * d->w + column) * d->c + k] : 0;
    return (byte / 255.0 - (double)d->mean[k]) / (double)d->deviation[k];
}

static void shows_each_view(void **state)
{
    (void)state;
    uint8_t images[COUNT * SIZE], labels[COUNT] = { 0 };
    for (int i = 0; i < COUNT * SIZE; i++) images[i] = (uint8_t)((i * 167 + 89) % 256);
    tg_scope *const s = tg_open();
    for (int c = 1; c <= 3; c += 2) {
        const tg_dataset *const d = tg_dataset_from(s, COUNT, H, W, c, 7, images, labels);
        const tg_pixels pixels = tg_pixels_of(d, false);
        for (int view = 0; view < 15 * 15 * 2; view++) {
            const tg_view v = { view / 2 % 15 - 7, (view / 30 - 7) * 3, view % 2 }; /* to -21, entirely outside */
            float out[SIZE + 1];
            out[H * W * c] = 1234;
            tg_show(&pixels, d->images + 2 * H * W * c, v, out);
            for (int i = 0; i < H * W * c; i++)
                assert_true(fabs((double)out[i] - shown(d, 2, i / c / W, i / c % W, i % c, v)) < 1e-6);
            assert_true(out[H * W * c] == 1234);
        }
    }
    tg_close(s);
}

static void draws_every_view(void **state)
{
    (void)state;
    enum { PAD = 2, SIDE = 2 * PAD + 1, DRAWN = 20000 };
    int seen[SIDE * SIDE * 2] = { 0 }, changed = 0;
    for (int i = 0; i < DRAWN; i++) {
        const tg_view v = tg_view_of(5, 3, i, PAD, true), other = tg_view_of(5, 4, i, PAD, true);
        assert_in_range(v.down + PAD, 0, SIDE - 1);
        assert_in_range(v.right + PAD, 0, SIDE - 1);
        seen[((v.down + PAD) * SIDE + v.right + PAD) * 2 + v.mirror]++;
        changed += v.down != other.down || v.right != other.right || v.mirror != other.mirror;
    }
    const double mean = DRAWN / (double)(2 * SIDE * SIDE);
    for (int i = 0; i < 2 * SIDE * SIDE; i++) assert_true(fabs(seen[i] - mean) < 5 * sqrt(mean));
    assert_true(changed > DRAWN * 9 / 10);
    const tg_view still = tg_view_of(5, 3, 1, 0, false);
    assert_true(still.down == 0 && still.right == 0 && !still.mirror);
    for (int i = 0; i < 100; i++) assert_false(tg_view_of(5, 3, i, PAD, false).mirror);
}

static void shuffles(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    uint32_t a[MANY], b[MANY];
    for (int epoch = 0; epoch < 20; epoch++) {
        tg_shuffle(1, epoch, MANY, a);
        bool seen[MANY] = { false };
        for (int i = 0; i < MANY; i++) seen[a[i]] = true;
        for (int i = 0; i < MANY; i++) assert_true(seen[i]);
        tg_shuffle(1, epoch, MANY, b);
        assert_memory_equal(a, b, sizeof a);
        tg_shuffle(1, epoch + 1, MANY, b);
        assert_memory_not_equal(a, b, sizeof a);
        tg_shuffle(2, epoch, MANY, b);
        assert_memory_not_equal(a, b, sizeof a);
    }
    int first[3] = { 0 }; /* every position is equally likely */
    for (int epoch = 0; epoch < 3000; epoch++) {
        tg_shuffle(9, epoch, 3, a);
        first[a[0]]++;
    }
    for (int i = 0; i < 3; i++) assert_in_range(first[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_each_view),
        cmocka_unit_test(draws_every_view),
        cmocka_unit_test(shuffles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
