/* canvas.h - an image that is drawn on, and becomes a PNG. */
#ifndef TG_CANVAS_H
#define TG_CANVAS_H
#include <stdbool.h>
#include <stdint.h>

/* Pixels of a letter's dot, of a line of text; bytes of a message. */
enum { CANVAS_DOT = 2, CANVAS_LINE = CANVAS_DOT * 10, CANVAS_MESSAGE = 256 };

typedef struct { uint8_t r, g, b; } colour;
static const colour paper = { 255, 255, 255 }, ink = { 40, 40, 46 }, faint = { 205, 205, 212 }, red = { 200, 16, 32 };

typedef struct {
    int      w, h;
    uint8_t *rgb;                          /* [h, w, 3] */
} canvas;

/* A blank one.  False if there is no memory; then `message` begins with the path, which is what it will be saved to. */
bool canvas_open(canvas *on, int w, int h, const char *path, char message[CANVAS_MESSAGE]);
void canvas_close(canvas *on);
void canvas_fill(canvas *on, int x, int y, int w, int h, colour c);
int  canvas_text_width(const char *text);
void canvas_text(canvas *on, int x, int y, const char *text, colour c);                /* ASCII; others are '?' */
bool canvas_save(const canvas *from, const char *path, char message[CANVAS_MESSAGE]);
#endif
