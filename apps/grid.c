#include "grid.h"
#include "grid_font.h"
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_SIDE = 120, FRAME = 4, GAP = 16, TEXT = 2, LINE = TEXT * (FONT_ROWS + 1), MAX_SIDE = 1 << 14,
       MAX_PIXELS = 1 << 27, MESSAGE = 256 };

#define SLASH " /"

typedef struct { uint8_t r, g, b; } colour;
static const colour paper = { 255, 255, 255 }, ink = { 40, 40, 46 }, faint = { 205, 205, 212 }, red = { 200, 16, 32 };

typedef struct {
    int      w, h;
    uint8_t *rgb;                          /* [h, w, 3] */
} canvas;

typedef struct {
    int scale;                             /* pixels of the canvas a pixel of an image, each way */
    int w, h;                              /* of an enlarged image */
    int cell_w, cell_h;                    /* with frame, text and gap */
    int columns, rows;
} layout;

static void fill(canvas *on, int x, int y, int w, int h, colour c)
{
    for (int row = y; row < y + h; row++)
        for (int column = x; column < x + w; column++)
            memcpy(on->rgb + 3 * ((size_t)row * (size_t)on->w + (size_t)column), &c, 3);
}

/* ---- text ---- */
static uint64_t glyph(char letter)
{
    return letter >= ' ' && letter <= '~' ? grid_font[letter - ' '] : grid_font['?' - ' '];
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

static int text_width(const char *text)
{
    int all = 0, first, width;
    for (; *text; text++, all += TEXT * (width + 1)) extent(*text, &first, &width);
    return all > 0 ? all - TEXT : 0;
}

static void draw_text(canvas *on, int x, int y, const char *text, colour c)
{
    for (int first, width; *text; text++, x += TEXT * (width + 1)) {
        extent(*text, &first, &width);
        for (int row = 0; row < FONT_ROWS; row++)
            for (int column = 0; column < width; column++)
                if (dot(glyph(*text), first + column, row))
                    fill(on, x + TEXT * column, y + TEXT * row, TEXT, TEXT, c);
    }
}

/* ---- layout ---- */
static const char *text_of(const char *name) { return name ? name : ""; }

static void centre(canvas *on, int middle, int y, const char *text, const char *hanging, colour c)
{
    const int width = text_width(text), x = middle - width / 2;
    draw_text(on, x, y, text, c);
    draw_text(on, x + width + TEXT, y, hanging, c);
}

static int larger(int a, int b) { return a > b ? a : b; }

static layout plan(const grid_cell *cells, int count, int columns, int h, int w)
{
    const int side = larger(h, w), scale = larger(1, (IMAGE_SIDE + side / 2) / side);
    layout l = { .scale = scale, .w = w * scale, .h = h * scale, .columns = columns < count ? columns : count };
    l.rows = (count + l.columns - 1) / l.columns;
    l.cell_w = l.w + 2 * FRAME;
    for (int i = 0; i < count; i++)
        l.cell_w = larger(l.cell_w, larger(text_width(text_of(cells[i].truth)) + text_width(SLASH),
                                           text_width(text_of(cells[i].predicted))));
    l.cell_w += GAP;
    l.cell_h = l.h + 2 * FRAME + 2 * LINE + GAP;
    return l;
}

static void draw_image(canvas *on, int left, int top, const uint8_t *pixels, int h, int w, int c, int scale)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const uint8_t *const p = pixels + ((size_t)y * (size_t)w + (size_t)x) * (size_t)c;
            const colour shade = c == 1 ? (colour){ p[0], p[0], p[0] } : (colour){ p[0], p[1], p[2] };
            fill(on, left + x * scale, top + y * scale, scale, scale, shade);
        }
}

static void draw_cell(canvas *on, const layout *l, int left, int top, const grid_cell *cell, int h, int w, int c)
{
    const int middle = left + (l->cell_w - GAP) / 2, x = middle - l->w / 2, text = top + l->h + 2 * FRAME + TEXT * 2;
    const int frame = cell->wrong ? FRAME : 1;
    fill(on, x - frame, top + FRAME - frame, l->w + 2 * frame, l->h + 2 * frame, cell->wrong ? red : faint);
    draw_image(on, x, top + FRAME, cell->pixels, h, w, c, l->scale);
    centre(on, middle, text, text_of(cell->truth), SLASH, cell->wrong ? red : ink);
    centre(on, middle, text + LINE, text_of(cell->predicted), "", cell->wrong ? red : ink);
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
    snprintf(t->message, MESSAGE, "%s: %s", t->path, errno ? strerror(errno) : why);
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

static bool write_png(FILE *file, const canvas *from, const char *path, char message[MESSAGE])
{
    trouble t = { .path = path, .message = message };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &t, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) snprintf(message, MESSAGE, "%s: no memory to write it", path);
    errno = 0;
    const bool done = info && encode(file, png, info, from, &t);
    png_destroy_write_struct(&png, &info);
    return done;
}

static bool save(const canvas *from, const char *path, char message[MESSAGE])
{
    FILE *const file = fopen(path, "wb");
    if (!file) {
        snprintf(message, MESSAGE, "%s: cannot be written: %s", path, strerror(errno));
        return false;
    }
    const bool done = write_png(file, from, path, message);
    if (fclose(file) == 0 || !done) return done;
    snprintf(message, MESSAGE, "%s: cannot be written: %s", path, strerror(errno));
    return false;
}

static bool sound(const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c, char *message)
{
    const char *wrong = NULL;
    if (!cells || count < 1 || columns < 1) wrong = "a grid needs at least one image and one column";
    else if (h < 1 || w < 1 || h > MAX_SIDE || w > MAX_SIDE) wrong = "sides of images are 1 .. 16384";
    else if (c != 1 && c != 3) wrong = "images have 1 or 3 channels";
    for (int i = 0; !wrong && i < count; i++)
        if (!cells[i].pixels) wrong = "an image is NULL";
    if (wrong) snprintf(message, MESSAGE, "%s: %s", path, wrong);
    return !wrong;
}

bool grid_write(const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c,
                char message[MESSAGE])
{
    message[0] = 0;
    if (!sound(path, cells, count, columns, h, w, c, message)) return false;
    const layout l = plan(cells, count, columns, h, w);
    if ((int64_t)(l.cell_w + 1) * l.columns * (l.cell_h + 1) > MAX_PIXELS / l.rows) {
        snprintf(message, MESSAGE, "%s: a grid of %d x %d images of %d x %d pixels is too large", path, l.rows,
                 l.columns, h, w);
        return false;
    }
    canvas on = { .w = l.columns * l.cell_w + GAP, .h = l.rows * l.cell_h + GAP };
    on.rgb = malloc(3 * (size_t)on.w * (size_t)on.h);
    if (!on.rgb) {
        snprintf(message, MESSAGE, "%s: no memory for %d x %d pixels", path, on.w, on.h);
        return false;
    }
    fill(&on, 0, 0, on.w, on.h, paper);
    for (int i = 0; i < count; i++)
        draw_cell(&on, &l, GAP + i % l.columns * l.cell_w, GAP + i / l.columns * l.cell_h, cells + i, h, w, c);
    const bool done = save(&on, path, message);
    free(on.rgb);
    return done;
}
