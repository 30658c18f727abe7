/* canvas.h - an image to draw on and save as PNG. */
#ifndef TG_CANVAS_H
#define TG_CANVAS_H
#include <tilegrad/scope.h>

/* In pixels: a dot of a letter, and the height of a line of text. */
enum { CANVAS_DOT = 2, CANVAS_LINE = CANVAS_DOT * 10 };

typedef struct {
    uint8_t r, g, b;
} colour;
static const colour paper = { 255, 255, 255 }, ink = { 40, 40, 46 }, faint = { 205, 205, 212 }, red = { 200, 16, 32 };

typedef struct {
    int w, h;
    uint8_t *rgb; /* [h, w, 3] */
} canvas;

/* Opens a blank canvas, to be saved to `path`.  If memory runs out, s fails and it returns false. */
bool canvas_open(tg_scope *s, canvas *on, int w, int h, const char *path);
void canvas_close(canvas *on);
void canvas_fill(canvas *on, int x, int y, int w, int h, colour c);
int canvas_text_width(const char *text);
void canvas_text(canvas *on, int x, int y, const char *text, colour c); /* ASCII; other bytes are drawn as '?' */
bool canvas_save(tg_scope *s, const canvas *from, const char *path);    /* the file appears whole or not at all */
#endif
