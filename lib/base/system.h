/* system.h - every byte that tilegrad takes from the system is asked for here, so that tests can count and refuse. */
#ifndef TG_SYSTEM_H
#define TG_SYSTEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *tg_system_alloc(size_t bytes); /* zeroed, 64-byte aligned; NULL if refused */
void tg_system_free(void *block);    /* NULL: nothing */
/* An array that is to hold `want` elements of `size` bytes: grown by doubling; false if refused, nothing changed. */
bool tg_system_grow(void **array, size_t *capacity, size_t want, size_t size);
bool tg_system_allowed(void); /* counts a request made in another way (mmap); false: refuse it */

/* For tests. */
uint64_t tg_system_requests(void);  /* so far in this process */
void tg_system_fail_at(uint64_t n); /* refuse the n-th request from now on (1: the next); 0: none */
#endif
