/* system.c - allocation from the system, counted, with injected failures.  See system.h. */
#include "system.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t requests, refuse_at; /* process-wide; used by tests only */

bool tg_system_allowed(void)
{
    uint64_t now = atomic_fetch_add(&requests, 1) + 1;
    return now != atomic_load(&refuse_at);
}

void *tg_system_alloc(size_t bytes)
{
    if (!tg_system_allowed() || bytes > SIZE_MAX / 2) return NULL;
    size_t size = (bytes + 63) / 64 * 64;
    void *block = aligned_alloc(64, size ? size : 64);
    return block ? memset(block, 0, size) : NULL;
}

void tg_system_free(void *block) { free(block); }

bool tg_system_grow(void **array, size_t *capacity, size_t want, size_t size)
{
    if (want <= *capacity) return true;
    size_t more = *capacity ? *capacity : 16;
    while (more < want) {
        if (more > SIZE_MAX / 4 / size) return false;
        more *= 2;
    }
    void *grown = tg_system_alloc(more * size);
    if (!grown) return false;
    if (*array) memcpy(grown, *array, *capacity * size);
    tg_system_free(*array);
    *array = grown;
    *capacity = more;
    return true;
}

uint64_t tg_system_requests(void) { return atomic_load(&requests); }
void tg_system_fail_at(uint64_t n) { atomic_store(&refuse_at, n ? atomic_load(&requests) + n : 0); }
