/* system.h - all of tilegrad's allocations from the system, so that tests can count and fail them. */
#ifndef TG_SYSTEM_H
#define TG_SYSTEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *tg_system_alloc(size_t bytes); /* zeroed, 64-byte aligned; NULL if refused */
void tg_system_free(void *block);    /* NULL: nothing */
/* Grows an array by doubling until it holds `want` elements of `size` bytes; false if refused, nothing changed. */
bool tg_system_grow(void **array, size_t *capacity, size_t want, size_t size);
bool tg_system_allowed(void); /* counts a request made by other means (mmap); false: it must fail */

/* For tests. */
uint64_t tg_system_requests(void);  /* so far in this process */
void tg_system_fail_at(uint64_t n); /* the n-th request from now fails (1: the next); 0: none does */
#endif
