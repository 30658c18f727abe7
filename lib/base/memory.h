/* memory.h - the allocator of tensors' bytes: each tree of scopes reserves one address range up front and commits it as
 * needed.
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
    size_t reserved, committed; /* bytes of address space; accessible bytes of it */
    size_t usable;              /* the end of the last block in use, as an offset */
    tg_range *free_ranges;      /* holes below base + usable */
    size_t n, capacity;
    tg_range *journal; /* since tg_memory_begin; the top bit of bytes is set for a give */
    size_t n_journal, journal_capacity;
    bool recording;
    size_t n_blocks, used, peak; /* blocks in use, bytes in use, their maximum */
} tg_memory;

bool tg_memory_open(tg_memory *m);
void tg_memory_close(tg_memory *m);
void *tg_memory_take(tg_memory *m, size_t bytes);          /* best fit, 64-byte aligned, not zeroed; NULL: no room */
bool tg_memory_give(tg_memory *m, void *at, size_t bytes); /* false: the journal cannot grow; nothing changed */
size_t tg_memory_size(size_t bytes);                       /* what a block of `bytes` really occupies */

/* Takes and gives after begin are final with commit and reverted by undo. */
void tg_memory_begin(tg_memory *m);
void tg_memory_commit(tg_memory *m);
void tg_memory_undo(tg_memory *m);

/* Mark bytes as inaccessible or accessible for AddressSanitizer; do nothing in other builds. */
void tg_memory_poison(void *at, size_t bytes);
void tg_memory_unpoison(void *at, size_t bytes);
#endif
