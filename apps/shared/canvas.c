/* canvas.c - see canvas.h. */
#include "canvas.h"
#include "canvas_font.h"
#include "file_out.h"
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

bool canvas_open(tg_scope *s, canvas *on, int w, int h, const char *path)
{
    *on = (canvas){ .w = w, .h = h, .rgb = malloc(3 * (size_t)w * (size_t)h) };
    if (on->rgb) canvas_fill(on, 0, 0, w, h, paper);
    else tg_fail_system(s, ENOMEM, "%s: no memory for %d x %d pixels", path, w, h);
    return on->rgb;
}

void canvas_close(canvas *on)
{
    free(on->rgb);
    on->rgb = NULL;
}

void canvas_fill(canvas *on, int x, int y, int w, int h, colour c)
{
    for (int row = y; row < y + h; row++)
        for (int column = x; column < x + w; column++)
            memcpy(on->rgb + 3 * ((size_t)row * (size_t)on->w + (size_t)column), &c, 3);
}

/* ---- text ---- */
static uint64_t glyph(char letter)
{
    return letter >= ' ' && letter <= '~' ? canvas_font[letter - ' '] : canvas_font['?' - ' '];
}

static bool dot(uint64_t bits, int column, int row)
{
    return bits >> (FONT_COLUMNS * (FONT_ROWS - row) - 1 - column) & 1;
}

/* The columns of a letter that contain dots: the font is proportional.  A blank is three columns wide. */
static void extent(char letter, int *first, int *width)
{
    unsigned columns = 0; /* bit i: column i has a dot in some row */
    for (int row = 0; row < FONT_ROWS; row++) columns |= glyph(letter) >> FONT_COLUMNS * row & 0x1f;
    *first = columns ? __builtin_clz(columns << 27) : 0;
    *width = columns ? FONT_COLUMNS - *first - __builtin_ctz(columns) : 3;
}

int canvas_text_width(const char *text)
{
    int all = 0, first, width;
    for (; *text; text++, all += CANVAS_DOT * (width + 1)) extent(*text, &first, &width);
    return all > 0 ? all - CANVAS_DOT : 0;
}

void canvas_text(canvas *on, int x, int y, const char *text, colour c)
{
    for (int first, width; *text; text++, x += CANVAS_DOT * (width + 1)) {
        extent(*text, &first, &width);
        for (int row = 0; row < FONT_ROWS; row++)
            for (int column = 0; column < width; column++)
                if (dot(glyph(*text), first + column, row))
                    canvas_fill(on, x + CANVAS_DOT * column, y + CANVAS_DOT * row, CANVAS_DOT, CANVAS_DOT, c);
    }
}

/* ---- the file ---- */
typedef struct {
    jmp_buf back;
    tg_scope *s;
    tg_file_out out;
} picture;

static void on_error(png_structp png, png_const_charp why)
{
    picture *const p = png_get_error_ptr(png);
    tg_fail(p->s, "%s: cannot be written: %s", p->out.path, why); /* unless s has already failed */
    longjmp(p->back, 1);
}

static void on_warning(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static void put(png_structp png, png_bytep bytes, size_t n)
{
    picture *const p = png_get_io_ptr(png);
    if (!tg_out_write(p->s, &p->out, bytes, n)) png_error(png, "no room");
}

static void flush(png_structp png) { (void)png; }

/* libpng reports errors by longjmp: no local that changes after setjmp is read after it returns. */
static bool encode(picture *p, png_structp png, png_infop info, const canvas *from)
{
    if (setjmp(p->back)) return false;
    png_set_write_fn(png, p, put, flush);
    png_set_IHDR(png, info, (png_uint_32)from->w, (png_uint_32)from->h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < from->h; y++) png_write_row(png, from->rgb + 3 * (size_t)y * (size_t)from->w);
    png_write_end(png, info);
    return true;
}

bool canvas_save(tg_scope *s, const canvas *from, const char *path)
{
    picture p = { .s = s };
    if (!tg_out_begin(s, &p.out, path)) return false;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &p, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) tg_fail_system(s, ENOMEM, "%s: no memory to write it", path);
    if (info) encode(&p, png, info, from);
    png_destroy_write_struct(&png, &info);
    return tg_out_commit(s, &p.out); /* discards it if s has failed */
}
