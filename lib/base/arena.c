/* arena.c - bump allocation.  See arena.h. */
#include "arena.h"
#include "system.h"
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 * 1024, HEADER = 32 };
_Static_assert(sizeof(tg_arena_block) <= HEADER, "a block's header fits");

static tg_arena_block *block_new(tg_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK ? bytes : BLOCK;
    if (size > SIZE_MAX - HEADER) return NULL;
    tg_arena_block *b = tg_system_alloc(size + HEADER);
    if (!b) return NULL;
    b->size = size;
    if (arena->current) {
        b->next = arena->current->next;
        arena->current->next = b;
    } else {
        arena->first = b;
    }
    return b;
}

void *tg_arena_take_raw(tg_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - 64) return NULL;
    bytes = (bytes + 15) / 16 * 16;
    while (arena->current && arena->current->size - arena->current->used < bytes && arena->current->next)
        arena->current = arena->current->next;
    if (!arena->current || arena->current->size - arena->current->used < bytes) {
        tg_arena_block *b = block_new(arena, bytes);
        if (!b) return NULL;
        arena->current = b;
    }
    char *at = (char *)arena->current + HEADER + arena->current->used;
    arena->current->used += bytes;
    return at;
}

void *tg_arena_take(tg_arena *arena, size_t bytes)
{
    void *const at = tg_arena_take_raw(arena, bytes);
    return at ? memset(at, 0, bytes) : NULL;
}

void tg_arena_reset(tg_arena *arena)
{
    for (tg_arena_block *b = arena->first; b; b = b->next) b->used = 0;
    arena->current = arena->first;
}

void tg_arena_free(tg_arena *arena)
{
    for (tg_arena_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        tg_system_free(b);
    }
    *arena = (tg_arena){ 0 };
}
