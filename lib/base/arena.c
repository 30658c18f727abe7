/* arena.c - see arena.h. */
#include "arena.h"
#include "system.h"
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 * 1024, HEAD = 32 };
_Static_assert(sizeof(tg_arena_block) <= HEAD, "the head of a block");

static tg_arena_block *block_new(tg_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK ? bytes : BLOCK;
    if (size > SIZE_MAX - HEAD) return NULL;
    tg_arena_block *b = tg_system_alloc(size + HEAD);
    if (!b) return NULL;
    b->size = size;
    if (arena->now) {
        b->next = arena->now->next;
        arena->now->next = b;
    } else {
        arena->first = b;
    }
    return b;
}

void *tg_arena_take(tg_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - 64) return NULL;
    bytes = (bytes + 15) / 16 * 16;
    while (arena->now && arena->now->size - arena->now->used < bytes && arena->now->next) arena->now = arena->now->next;
    if (!arena->now || arena->now->size - arena->now->used < bytes) {
        tg_arena_block *b = block_new(arena, bytes);
        if (!b) return NULL;
        arena->now = b;
    }
    char *at = (char *)arena->now + HEAD + arena->now->used;
    arena->now->used += bytes;
    return memset(at, 0, bytes);
}

void tg_arena_reset(tg_arena *arena)
{
    for (tg_arena_block *b = arena->first; b; b = b->next) b->used = 0;
    arena->now = arena->first;
}

void tg_arena_free(tg_arena *arena)
{
    for (tg_arena_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        tg_system_free(b);
    }
    *arena = (tg_arena){ 0 };
}
