#include "grid.h"
#include "canvas.h"
#include "ints.h"
#include <stdio.h>

enum { IMAGE_SIDE = 120, FRAME = 4, GAP = 16, MAX_SIDE = 1 << 14, MAX_PIXELS = 1 << 27 };

#define SLASH " /"

typedef struct {
    int scale;          /* canvas pixels per image pixel, in each direction */
    int w, h;           /* of an enlarged image */
    int cell_w, cell_h; /* with frame, text and gap */
    int columns, rows;
} layout;

/* ---- layout ---- */
static const char *text_of(const char *name) { return name ? name : ""; }

static void centre(canvas *on, int middle, int y, const char *text, const char *hanging, colour c)
{
    const int width = canvas_text_width(text), x = middle - width / 2;
    canvas_text(on, x, y, text, c);
    canvas_text(on, x + width + CANVAS_DOT, y, hanging, c);
}

static layout plan(const grid_cell *cells, int count, int columns, int h, int w)
{
    const int side = imax(h, w), scale = imax(1, (IMAGE_SIDE + side / 2) / side);
    layout l = { .scale = scale, .w = w * scale, .h = h * scale, .columns = columns < count ? columns : count };
    l.rows = (count + l.columns - 1) / l.columns;
    l.cell_w = l.w + 2 * FRAME;
    for (int i = 0; i < count; i++)
        l.cell_w = imax(l.cell_w, imax(canvas_text_width(text_of(cells[i].truth)) + canvas_text_width(SLASH),
                                       canvas_text_width(text_of(cells[i].predicted))));
    l.cell_w += GAP;
    l.cell_h = l.h + 2 * FRAME + 2 * CANVAS_LINE + GAP;
    return l;
}

static void draw_image(canvas *on, int left, int top, const uint8_t *pixels, int h, int w, int c, int scale)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const uint8_t *const p = pixels + ((size_t)y * (size_t)w + (size_t)x) * (size_t)c;
            const colour shade = c == 1 ? (colour){ p[0], p[0], p[0] } : (colour){ p[0], p[1], p[2] };
            canvas_fill(on, left + x * scale, top + y * scale, scale, scale, shade);
        }
}

static void draw_cell(canvas *on, const layout *l, int left, int top, const grid_cell *cell, int h, int w, int c)
{
    const int middle = left + (l->cell_w - GAP) / 2, x = middle - l->w / 2;
    const int text = top + l->h + 2 * FRAME + 2 * CANVAS_DOT;
    const int frame = cell->wrong ? FRAME : 1;
    canvas_fill(on, x - frame, top + FRAME - frame, l->w + 2 * frame, l->h + 2 * frame, cell->wrong ? red : faint);
    draw_image(on, x, top + FRAME, cell->pixels, h, w, c, l->scale);
    centre(on, middle, text, text_of(cell->truth), SLASH, cell->wrong ? red : ink);
    centre(on, middle, text + CANVAS_LINE, text_of(cell->predicted), "", cell->wrong ? red : ink);
}

static bool sound(tg_scope *s, const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c)
{
    const char *wrong = NULL;
    if (!cells || count < 1 || columns < 1) wrong = "a grid needs at least one image and one column";
    else if (h < 1 || w < 1 || h > MAX_SIDE || w > MAX_SIDE) wrong = "sides of images are 1 to 16384";
    else if (c != 1 && c != 3) wrong = "images have 1 or 3 channels";
    for (int i = 0; !wrong && i < count; i++)
        if (!cells[i].pixels) wrong = "an image is NULL";
    if (wrong) tg_fail(s, "%s: %s", path, wrong);
    return tg_ok(s);
}

bool grid_write(tg_scope *s, const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c)
{
    if (!sound(s, path, cells, count, columns, h, w, c)) return false;
    const layout l = plan(cells, count, columns, h, w);
    if ((int64_t)(l.cell_w + 1) * l.columns * (l.cell_h + 1) > MAX_PIXELS / l.rows) {
        tg_fail(s, "%s: a grid of %d x %d images of %d x %d pixels is too large", path, l.rows, l.columns, h, w);
        return false;
    }
    canvas on;
    if (!canvas_open(s, &on, l.columns * l.cell_w + GAP, l.rows * l.cell_h + GAP, path)) return false;
    for (int i = 0; i < count; i++)
        draw_cell(&on, &l, GAP + i % l.columns * l.cell_w, GAP + i / l.columns * l.cell_h, cells + i, h, w, c);
    const bool done = canvas_save(s, &on, path);
    canvas_close(&on);
    return done;
}
