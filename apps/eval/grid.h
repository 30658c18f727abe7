/* grid.h - a PNG that shows what a classifier does: images in a grid, under each its true and its predicted class. */
#ifndef TG_GRID_H
#define TG_GRID_H
#include <tilegrad/scope.h>

typedef struct {
    const uint8_t *pixels;         /* [h, w, c] */
    const char *truth, *predicted; /* ASCII; NULL: nothing */
    bool wrong;                    /* red frame, red text */
} grid_cell;

/* count images in rows of `columns`; c is 1 (grey) or 3 (red, green, blue).  Small images are enlarged by a whole
 * factor.  False and s failed if it cannot be made or written; the message begins with the path. */
bool grid_write(tg_scope *s, const char *path, const grid_cell *cells, int count, int columns, int h, int w, int c);
#endif
