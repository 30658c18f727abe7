/* arena.h - bump allocation for small objects with one lifetime; a reset keeps the blocks for reuse. */
#ifndef TG_ARENA_H
#define TG_ARENA_H
#include <stddef.h>

typedef struct tg_arena_block {
    struct tg_arena_block *next;
    size_t size, used;
} tg_arena_block;

typedef struct {
    tg_arena_block *first, *current;
} tg_arena;

void *tg_arena_take(tg_arena *arena, size_t bytes);     /* zeroed, 16-byte aligned; NULL: out of memory */
void *tg_arena_take_raw(tg_arena *arena, size_t bytes); /* the same, not zeroed: for what is written at once */
void tg_arena_reset(tg_arena *arena);                   /* frees every object, keeps the blocks */
void tg_arena_free(tg_arena *arena);
#endif
