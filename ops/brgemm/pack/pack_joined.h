/* pack_joined.h - packs the block-diagonal weights of joined groups (panels.h). */
#ifndef TG_PACK_JOINED_H
#define TG_PACK_JOINED_H
#include "panels.h"

/* Rows r0 to r1 - 1 of w and the zeros beside them, as tg_layout.pack does. */
void tg_pack_joined(const tg_panels *p, const tg_tensor *w, int64_t r0, int64_t r1, void *to);
#endif
