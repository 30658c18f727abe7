/* layout.h - a form in which kernels read weights. */
#ifndef TG_LAYOUT_H
#define TG_LAYOUT_H
#include "op.h"

enum { TG_LAYOUT_KEY = 8 };
typedef struct tg_layout {              /* a form in which kernels read weights: panels, tiles */
    const char *name;
    size_t (*bytes)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY]);
    /* Writes what rows r0 <= r < r1 of w (of its first axis) put into `to`, paddings included; r0 is a multiple of 16,
     * r1 too or the number of rows.  Calls for different rows may run at the same time and write different bytes. */
    void (*pack)(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to);
} tg_layout;
#endif
