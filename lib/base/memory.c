/* memory.c - best-fit allocation in one reserved address range, with an undo journal.  See memory.h. */
#include "memory.h"
#include "system.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
void tg_memory_poison(void *at, size_t bytes) { __asan_poison_memory_region(at, bytes); }
void tg_memory_unpoison(void *at, size_t bytes) { __asan_unpoison_memory_region(at, bytes); }
#else
void tg_memory_poison(void *at, size_t bytes) { (void)at, (void)bytes; }
void tg_memory_unpoison(void *at, size_t bytes) { (void)at, (void)bytes; }
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/* A gap of 64 bytes follows each block.  Without it, blocks of 2^n bytes would start at the same offset in a 4 KiB page
 * (4K aliasing: loads wait for unrelated stores).  AddressSanitizer uses it as a redzone. */
size_t tg_memory_size(size_t bytes) { return (bytes + 63) / 64 * 64 + 64; }

static size_t physical_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : (size_t)4 << 30;
}

/* Reserves as much address space as the machine has memory, or as the process may have (ulimit -v).  Reserving costs
 * nothing. */
bool tg_memory_open(tg_memory *m)
{
    *m = (tg_memory){ 0 };
    if (!tg_system_allowed()) return false;
    for (size_t want = physical_bytes() / HUGE_PAGE * HUGE_PAGE; want >= 8 * HUGE_PAGE;
         want = want / 2 / HUGE_PAGE * HUGE_PAGE) {
        void *at = mmap(NULL, want, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) continue;
        madvise(at, want, MADV_HUGEPAGE);
        m->base = at;
        m->reserved = want;
        return true;
    }
    return false;
}

void tg_memory_close(tg_memory *m)
{
    if (m->base) {
        tg_memory_unpoison(m->base, m->committed);
        munmap(m->base, m->reserved);
    }
    tg_system_free(m->free_ranges);
    tg_system_free(m->journal);
    *m = (tg_memory){ 0 };
}

/* Makes the range accessible up to `end`, in whole huge pages, and 1/16 more so that this is rarely needed. */
static bool commit_to(tg_memory *m, size_t end)
{
    if (end <= m->committed) return true;
    if (end > m->reserved || !tg_system_allowed()) return false;
    size_t target = (end + m->committed / 16 + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (target > m->reserved) target = m->reserved;
    if (mprotect(m->base + m->committed, target - m->committed, PROT_READ | PROT_WRITE) != 0) return false;
    tg_memory_poison(m->base + m->committed, target - m->committed);
    m->committed = target;
    return true;
}

/* The number of holes that begin below `at`. */
static size_t position(const tg_memory *m, const char *at)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->free_ranges[middle].at < at) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void remove_hole(tg_memory *m, size_t i)
{
    memmove(m->free_ranges + i, m->free_ranges + i + 1, (--m->n - i) * sizeof *m->free_ranges);
}

static void insert_hole(tg_memory *m, size_t i, tg_range hole)
{
    memmove(m->free_ranges + i + 1, m->free_ranges + i, (m->n++ - i) * sizeof *m->free_ranges);
    m->free_ranges[i] = hole;
}

/* Frees [at, at + bytes) and merges it with its neighbours; a hole at the end lowers `usable` instead. */
static void free_range(tg_memory *m, char *at, size_t bytes)
{
    size_t i = position(m, at);
    if (i < m->n && at + bytes == m->free_ranges[i].at) {
        bytes += m->free_ranges[i].bytes;
        remove_hole(m, i);
    }
    if (i > 0 && m->free_ranges[i - 1].at + m->free_ranges[i - 1].bytes == at) {
        at = m->free_ranges[--i].at;
        bytes += m->free_ranges[i].bytes;
        remove_hole(m, i);
    }
    if (at + bytes == m->base + m->usable) m->usable -= bytes;
    else insert_hole(m, i, (tg_range){ at, bytes });
}

/* Allocates [at, at + bytes), which is free. */
static void take_range(tg_memory *m, char *at, size_t bytes)
{
    char *top = m->base + m->usable;
    if (at >= top) {
        if (at > top) insert_hole(m, m->n, (tg_range){ top, (size_t)(at - top) });
        m->usable = (size_t)(at + bytes - m->base);
        return;
    }
    size_t i = position(m, at + 1) - 1;
    tg_range hole = m->free_ranges[i];
    size_t before = (size_t)(at - hole.at), after = hole.bytes - before - bytes;
    remove_hole(m, i);
    if (after) insert_hole(m, i, (tg_range){ at + bytes, after });
    if (before) insert_hole(m, i, (tg_range){ hole.at, before });
}

static char *best_fit(const tg_memory *m, size_t bytes)
{
    const tg_range *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const tg_range *hole = m->free_ranges + i;
        if (hole->bytes >= bytes && (!best || hole->bytes < best->bytes)) best = hole;
    }
    return best ? best->at : NULL;
}

#define GIVEN (SIZE_MAX / 2 + 1)

static bool append_journal(tg_memory *m, void *at, size_t entry)
{
    if (!m->recording) return true;
    if (!tg_system_grow((void **)&m->journal, &m->journal_capacity, m->n_journal + 1, sizeof *m->journal)) return false;
    m->journal[m->n_journal++] = (tg_range){ at, entry };
    return true;
}

void *tg_memory_take(tg_memory *m, size_t bytes)
{
    if (bytes > m->reserved) return NULL;
    bytes = tg_memory_size(bytes);
    /* Each block in use separates at most two holes.  Room for one more means that tg_memory_give never has to grow. */
    if (!tg_system_grow((void **)&m->free_ranges, &m->capacity, m->n + m->n_blocks + 4, sizeof *m->free_ranges))
        return NULL;
    char *at = best_fit(m, bytes);
    if (!at && !commit_to(m, m->usable + bytes)) return NULL;
    if (!at) at = m->base + m->usable;
    if (!append_journal(m, at, bytes)) return NULL;
    take_range(m, at, bytes);
    m->n_blocks++;
    m->used += bytes;
    if (m->used > m->peak) m->peak = m->used;
    return at;
}

bool tg_memory_give(tg_memory *m, void *at, size_t bytes)
{
    bytes = tg_memory_size(bytes);
    if (!append_journal(m, at, bytes | GIVEN)) return false;
    free_range(m, at, bytes);
    m->n_blocks--;
    m->used -= bytes;
    return true;
}

void tg_memory_begin(tg_memory *m) { m->recording = true, m->n_journal = 0; }
void tg_memory_commit(tg_memory *m) { m->recording = false, m->n_journal = 0; }

void tg_memory_undo(tg_memory *m)
{
    m->recording = false;
    while (m->n_journal) {
        tg_range entry = m->journal[--m->n_journal];
        bool given = entry.bytes & GIVEN;
        size_t bytes = entry.bytes & ~GIVEN;
        if (given) {
            take_range(m, entry.at, bytes);
            m->used += bytes;
            m->n_blocks++;
        } else {
            free_range(m, entry.at, bytes);
            m->used -= bytes;
            m->n_blocks--;
        }
    }
}
