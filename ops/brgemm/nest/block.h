/* block.h - a block of outputs of a loop nest, and A, the input that it reads. */
#ifndef TG_BLOCK_H
#define TG_BLOCK_H
#include "nest.h"

typedef struct {
    const tg_nest *n;
    const void *x;
    int64_t group;
    int64_t image, images;                  /* the first one, and how many */
    int64_t line0, line1, column0, column1; /* of outputs */
    int64_t h0, w0;                         /* the input line and column that A begins with; w0 may be outside */
    const char *a;                          /* input (h0, w0) */
} tg_block;

/* The block that begins with this image, output line and column. */
tg_block tg_block_of(const tg_nest *n, const void *x, int64_t group, int64_t image, int64_t line, int64_t column);
/* Packs A into `to`, unless A is x itself. */
void tg_block_load(tg_block *b, char *to);
/* Input pixel (h, w) of x in memory; it must lie inside. */
const char *tg_pixel(const tg_block *b, int64_t image, int64_t h, int64_t w);

/* Bytes of an element of A. */
static inline size_t tg_a_size(const tg_nest *n)
{
    return n->shape.mk->element == TG_BF16 ? sizeof(uint16_t) : sizeof(float);
}

/* Input (h, w) in A, which may be padding beside a line. */
static inline const char *tg_a_at(const tg_block *b, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    return b->a + (size_t)((h - b->h0) * n->a.line + (w - b->w0) * n->block.images * n->a.pitch) * tg_a_size(n);
}
#endif
