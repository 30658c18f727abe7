/* canvas.c - see canvas.h. */
#include "canvas.h"
#include "canvas_font.h"
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool canvas_open(canvas *on, int w, int h, const char *path, char message[CANVAS_MESSAGE])
{
    *on = (canvas){ .w = w, .h = h, .rgb = malloc(3 * (size_t)w * (size_t)h) };
    if (on->rgb) canvas_fill(on, 0, 0, w, h, paper);
    else snprintf(message, CANVAS_MESSAGE, "%s: no memory for %d x %d pixels", path, w, h);
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

/* The columns of a letter that have dots: letters are as wide as they look.  A blank has three. */
static void extent(char letter, int *first, int *width)
{
    unsigned columns = 0;                  /* five bits: which have dots in any row */
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
    jmp_buf     back;
    const char *path;
    char       *message;
} trouble;

static void on_error(png_structp png, png_const_charp why)
{
    trouble *const t = png_get_error_ptr(png);
    snprintf(t->message, CANVAS_MESSAGE, "%s: %s", t->path, errno ? strerror(errno) : why);
    longjmp(t->back, 1);
}

static void on_warning(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

/* libpng reports errors by longjmp: nothing that changes after setjmp is looked at when it comes back. */
static bool encode(FILE *file, png_structp png, png_infop info, const canvas *from, trouble *t)
{
    if (setjmp(t->back)) return false;
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)from->w, (png_uint_32)from->h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < from->h; y++) png_write_row(png, from->rgb + 3 * (size_t)y * (size_t)from->w);
    png_write_end(png, info);
    return true;
}

static bool write_png(FILE *file, const canvas *from, const char *path, char message[CANVAS_MESSAGE])
{
    trouble t = { .path = path, .message = message };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &t, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) snprintf(message, CANVAS_MESSAGE, "%s: no memory to write it", path);
    errno = 0;
    const bool done = info && encode(file, png, info, from, &t);
    png_destroy_write_struct(&png, &info);
    return done;
}

bool canvas_save(const canvas *from, const char *path, char message[CANVAS_MESSAGE])
{
    FILE *const file = fopen(path, "wb");
    if (!file) {
        snprintf(message, CANVAS_MESSAGE, "%s: cannot be written: %s", path, strerror(errno));
        return false;
    }
    const bool done = write_png(file, from, path, message);
    if (fclose(file) == 0 || !done) return done;
    snprintf(message, CANVAS_MESSAGE, "%s: cannot be written: %s", path, strerror(errno));
    return false;
}
