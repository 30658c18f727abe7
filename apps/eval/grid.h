/* grid.h - a PNG of a classifier's predictions: a grid of images, each with its true and predicted class below. */
#ifndef TG_GRID_H
#define TG_GRID_H
#include <tilegrad/scope.h>

typedef struct {
    const uint8_t *pixels;         /* [h, w, c] */
    const char *truth, *predicted; /* ASCII; NULL: none */
    bool wrong;                    /* draws a red frame and red text */
} grid_cell;

/* Writes `count` images in rows of `columns`; c is 1 (grey) or 3 (RGB).  Small images are enlarged by an integer
 * factor. On failure, fails s with a message that begins with the path, and returns false. */
bool grid_write(tg_scope *s, const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c);
#endif
