/* confusion.c - see confusion.h. */
#include "confusion.h"
#include "canvas.h"
#include "ints.h"
#include <stdio.h>

enum { GAP = 16, MANY = 32, SMALL = 8 }; /* with more than MANY classes, squares are small and unlabelled */

typedef struct {
    int square, left, top;
} layout; /* side of a square; position of the first */

int64_t confusion_at(const confusion *c, int truth, int predicted)
{
    return c->count[truth * (c->classes + 1) + predicted];
}

int64_t confusion_of(const confusion *c, int truth)
{
    int64_t all = 0;
    for (int k = 0; k <= c->classes; k++) all += confusion_at(c, truth, k);
    return all;
}

int confusion_worst(const confusion *c, int truth)
{
    int64_t most = 0;
    int worst = -1;
    for (int k = 0; k < c->classes; k++)
        if (k != truth && confusion_at(c, truth, k) > most) most = confusion_at(c, truth, worst = k);
    return worst;
}

static const char *number(int64_t n, char text[24])
{
    snprintf(text, 24, "%lld", (long long)n);
    return text;
}

static layout plan(const confusion *c)
{
    layout l = { .square = SMALL, .left = GAP, .top = GAP };
    char text[24];
    if (c->classes > MANY) return l;
    for (int i = 0; i < c->classes; i++) {
        l.left = imax(l.left, GAP + canvas_text_width(c->name[i]) + GAP / 2 + canvas_text_width("00") + GAP / 2);
        l.square = imax(l.square, canvas_text_width(number(confusion_of(c, i), text)) + GAP);
    }
    l.top += CANVAS_LINE + GAP / 2;
    return l;
}

/* Interpolates from paper to `full`. */
static colour shade(colour full, double part)
{
    const double rest = 255 * (1 - part), r = rest + part * full.r, g = rest + part * full.g, b = rest + part * full.b;
    return (colour){ (uint8_t)r, (uint8_t)g, (uint8_t)b };
}

static void text_right(canvas *on, int right, int middle, const char *text, colour c)
{
    canvas_text(on, right - canvas_text_width(text), middle - CANVAS_LINE / 2 + 2 * CANVAS_DOT, text, c);
}

static void draw_square(canvas *on, const layout *l, const confusion *c, int truth, int k)
{
    static const colour right = { 24, 110, 190 };
    const int64_t n = confusion_at(c, truth, k), all = confusion_of(c, truth);
    const double part = all ? (double)n / (double)all : 0;
    const int x = l->left + k * l->square, y = l->top + truth * l->square, side = l->square - 1;
    char text[24];
    canvas_fill(on, x, y, side, side, n ? shade(k == truth ? right : red, 0.08 + 0.92 * part) : paper);
    if (!n || c->classes > MANY) return;
    const int width = canvas_text_width(number(n, text));
    text_right(on, x + (side + width) / 2, y + side / 2, text, part > 0.5 ? paper : ink);
}

static void draw_names(canvas *on, const layout *l, const confusion *c)
{
    char text[24];
    for (int i = 0; i < c->classes && c->classes <= MANY; i++) {
        const int middle = i * l->square + l->square / 2, width = canvas_text_width(number(i, text));
        text_right(on, l->left - GAP / 2, l->top + middle, text, ink);
        text_right(on, l->left + middle + width / 2, GAP + CANVAS_LINE / 2, text, ink);
        text_right(on, l->left - GAP - canvas_text_width("00"), l->top + middle, c->name[i], ink);
    }
}

bool confusion_write(tg_scope *s, const char *path, const confusion *c)
{
    const layout l = plan(c);
    const int side = c->classes * l.square;
    canvas on;
    if (!canvas_open(s, &on, l.left + side + GAP, l.top + side + GAP, path)) return false;
    draw_names(&on, &l, c);
    canvas_fill(&on, l.left - 1, l.top - 1, side + 1, side + 1, faint);
    for (int i = 0; i < c->classes * c->classes; i++) draw_square(&on, &l, c, i / c->classes, i % c->classes);
    const bool done = canvas_save(s, &on, path);
    canvas_close(&on);
    return done;
}
