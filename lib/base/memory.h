/* memory.h - the bytes of tensors: one range of addresses a tree, reserved at once, made usable as it is needed.
 *
 * Addresses never move.  Free ranges are kept sorted and merged, so the state is canonical: undoing a sequence of takes
 * and gives in reverse order restores it exactly.  That is how a plan that fails leaves no trace. */
#ifndef TG_MEMORY_H
#define TG_MEMORY_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *at;
    size_t bytes;
} tg_range;

typedef struct {
    char *base;
    size_t reserved, committed; /* addresses; those that can be touched */
    size_t usable;              /* the end of the last block in use */
    tg_range *free_ranges;      /* holes below base + usable */
    size_t n, capacity;
    tg_range *journal; /* since tg_memory_begin; the top bit of bytes: given, not taken */
    size_t n_journal, journal_capacity;
    bool recording;
    size_t n_blocks, used, peak; /* blocks and bytes in use */
} tg_memory;

bool tg_memory_open(tg_memory *m);
void tg_memory_close(tg_memory *m);
void *tg_memory_take(tg_memory *m, size_t bytes);          /* best fit, 64-byte aligned, not zeroed; NULL: none */
bool tg_memory_give(tg_memory *m, void *at, size_t bytes); /* false: no room to note it; nothing changed */
size_t tg_memory_size(size_t bytes);                       /* what a block of so many bytes really takes */

/* What is taken and given from begin on is undone by undo, and final with commit. */
void tg_memory_begin(tg_memory *m);
void tg_memory_commit(tg_memory *m);
void tg_memory_undo(tg_memory *m);

/* For AddressSanitizer: marks bytes as not to be touched, or as usable; nothing in other builds. */
void tg_memory_poison(void *at, size_t bytes);
void tg_memory_unpoison(void *at, size_t bytes);
#endif
