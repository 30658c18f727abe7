/* test_grid.c - the grid of images that `tilegrad train` writes, read back with libpng. */
#include "grid.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include <png.h>

static char path[64];

static int begin(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/tilegrad_grid_%d.png", (int)getpid());
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

typedef struct {
    int w, h;
    uint8_t *rgb;
} picture;

static picture read_back(void)
{
    png_image png = { .version = PNG_IMAGE_VERSION };
    assert_true(png_image_begin_read_from_file(&png, path));
    png.format = PNG_FORMAT_RGB;
    uint8_t *const rgb = malloc(PNG_IMAGE_SIZE(png));
    assert_non_null(rgb);
    assert_true(png_image_finish_read(&png, NULL, rgb, 0, NULL));
    return (picture){ (int)png.width, (int)png.height, rgb };
}

static int count_pixels(const picture *p, uint8_t r, uint8_t g, uint8_t b)
{
    int n = 0;
    for (const uint8_t *at = p->rgb, *last = at + 3 * p->w * p->h; at < last; at += 3)
        n += at[0] == r && at[1] == g && at[2] == b;
    return n;
}

static int count_red(const picture *p) { return count_pixels(p, 200, 16, 32); }

static void write_cells(const grid_cell *cells, int count, int columns, int h, int w, int c)
{
    tg_scope *const s = tg_open();
    assert_true(grid_write(s, path, cells, count, columns, h, w, c));
    assert_string_equal(tg_message(s), "");
    tg_close(s);
}

static void shows_each_pixel_enlarged(void **state)
{
    (void)state;
    uint8_t pixels[4 * 5 * 3];
    for (int i = 0; i < 60; i++) pixels[i] = (uint8_t)(100 + i);
    const grid_cell cell = { pixels, "cat", "cat", false };
    write_cells(&cell, 1, 3, 4, 5, 3);
    picture p = read_back();
    const int scale = 24; /* 5 pixels become about 120 */
    for (int i = 0; i < 60; i += 3)
        assert_int_equal(count_pixels(&p, pixels[i], pixels[i + 1], pixels[i + 2]), scale * scale);
    assert_int_equal(count_red(&p), 0);
    free(p.rgb);
}

static void marks_what_is_wrong(void **state)
{
    (void)state;
    static const uint8_t grey[28 * 28];
    const grid_cell right = { grey, "Bag", "Bag", false }, wrong = { grey, "Bag", "Coat", true };
    write_cells((grid_cell[]){ right, right, right }, 3, 3, 28, 28, 1);
    picture p = read_back();
    assert_int_equal(count_red(&p), 0);
    free(p.rgb);

    write_cells((grid_cell[]){ right, wrong, right }, 3, 3, 28, 28, 1);
    p = read_back();
    const int one = count_red(&p), frame = 120 * 120 - 112 * 112;
    assert_true(one > frame); /* the text is red too */
    free(p.rgb);

    write_cells((grid_cell[]){ wrong, wrong, wrong }, 3, 3, 28, 28, 1);
    p = read_back();
    assert_int_equal(count_red(&p), 3 * one);
    free(p.rgb);
}

static void has_rows_and_columns(void **state)
{
    (void)state;
    static const uint8_t grey[8 * 8];
    grid_cell cells[7];
    for (int i = 0; i < 7; i++) cells[i] = (grid_cell){ .pixels = grey };
    int w[8] = { 0 }, h[8] = { 0 };
    for (int columns = 1; columns < 8; columns++) {
        write_cells(cells, 7, columns, 8, 8, 1);
        picture p = read_back();
        w[columns] = p.w;
        h[columns] = p.h;
        free(p.rgb);
    }
    for (int columns = 3; columns < 8; columns++) assert_int_equal(w[columns] - w[columns - 1], w[2] - w[1]);
    const int rows[] = { 0, 7, 4, 3, 2, 2, 2, 1 }, row = h[6] - h[7];
    for (int columns = 1; columns < 8; columns++) assert_int_equal(h[columns], h[7] + (rows[columns] - 1) * row);
}

static void takes_any_caption(void **state)
{
    (void)state;
    static const uint8_t grey[4];
    char every[256], wide[2000];
    for (int i = 0; i < 255; i++) every[i] = (char)(i + 1);
    every[255] = '\0';
    memset(wide, 'W', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    write_cells((grid_cell[]){ { grey, every, NULL, true }, { grey, NULL, every, false }, { grey, "", "", true } }, 3,
                2, 2, 2, 1);
    write_cells((grid_cell[]){ { grey, wide, wide, true } }, 1, 1, 2, 2, 1);
}

/* With a file size limit of 1 KiB, only the previous picture remains. */
static void appears_whole_or_not_at_all(void **state)
{
    (void)state;
    static uint8_t noise[64 * 64];
    char part[80];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * i * 2654435761u >> 13);
    write_cells((grid_cell[]){ { noise, "before", NULL, false } }, 1, 1, 2, 2, 1);
    const picture before = read_back();
    struct rlimit usual, small = { .rlim_cur = 1024 };
    getrlimit(RLIMIT_FSIZE, &usual);
    small.rlim_max = usual.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    tg_scope *const s = tg_open();
    const bool written = grid_write(s, path, &(grid_cell){ noise, "after", NULL, true }, 1, 1, 64, 64, 1);
    setrlimit(RLIMIT_FSIZE, &usual);
    assert_false(written);
    assert_non_null(strstr(tg_message(s), strerror(EFBIG)));
    assert_int_equal(tg_system_error(s), EFBIG);
    tg_close(s);
    const picture after = read_back();
    assert_true(after.w == before.w && after.h == before.h);
    assert_memory_equal(after.rgb, before.rgb, 3 * (size_t)before.w * (size_t)before.h);
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_not_equal(access(part, F_OK), 0);
    free(before.rgb);
    free(after.rgb);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const uint8_t grey[28 * 28];
    static const grid_cell cell = { grey, "a", "b", true }, none = { NULL, "a", "b", true };
    const struct {
        const char *path;
        const grid_cell *cells;
        int count, columns, h, w, c;
        const char *expect;
    } rows[] = {
        { "no/such/folder/grid.png", &cell, 1, 1, 28, 28, 1,
          "no/such/folder/grid.png: cannot be created (no/such/folder/grid.png.part): No" },
        { "/tmp", &cell, 1, 1, 28, 28, 1, "/tmp: not a regular file" },
        { "/dev/full", &cell, 1, 1, 28, 28, 1, "/dev/full: not a regular file" },
        { "g.png", NULL, 1, 1, 28, 28, 1, "g.png: a grid needs" },
        { "g.png", &cell, 0, 1, 28, 28, 1, "g.png: a grid needs" },
        { "g.png", &cell, -5, 1, 28, 28, 1, "g.png: a grid needs" },
        { "g.png", &cell, 1, 0, 28, 28, 1, "g.png: a grid needs" },
        { "g.png", &cell, 1, 1, 0, 28, 1, "g.png: sides" },
        { "g.png", &cell, 1, 1, 28, -1, 1, "g.png: sides" },
        { "g.png", &cell, 1, 1, 28, 1 << 30, 1, "g.png: sides" },
        { "g.png", &cell, 1, 1, 28, 28, 2, "g.png: images have 1 or 3 channels" },
        { "g.png", &cell, 1, 1, 1 << 14, 1 << 14, 1, "g.png: a grid of 1 x 1 images of 16384 x 16384 pixels is" },
        { "g.png", &none, 1, 1, 28, 28, 1, "g.png: an image is NULL" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_scope *const s = tg_open();
        assert_false(grid_write(s, rows[i].path, rows[i].cells, rows[i].count, rows[i].columns, rows[i].h, rows[i].w,
                                rows[i].c));
        if (strncmp(tg_message(s), rows[i].expect, strlen(rows[i].expect)) != 0)
            fail_msg("row %zu: got \"%s\", want \"%s...\"", i, tg_message(s), rows[i].expect);
        tg_close(s);
    }
    assert_int_not_equal(access("g.png", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_each_pixel_enlarged),   cmocka_unit_test(marks_what_is_wrong),
        cmocka_unit_test(has_rows_and_columns),        cmocka_unit_test(takes_any_caption),
        cmocka_unit_test(appears_whole_or_not_at_all), cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
