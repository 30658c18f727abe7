/* checksum.h - streaming XXH3 (64 bits).  Private to lib. */
#ifndef TG_CHECKSUM_H
#define TG_CHECKSUM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_CHECKSUM_DIGITS = 16 };

typedef struct tg_checksum tg_checksum;

tg_checksum *tg_checksum_new(void);     /* ready for tg_checksum_add; NULL: out of memory.  tg_system_free frees it */
void tg_checksum_begin(tg_checksum *c); /* resets it */
void tg_checksum_add(tg_checksum *c, const void *bytes, size_t n);
uint64_t tg_checksum_value(const tg_checksum *c); /* of all bytes added since the reset */
uint64_t tg_checksum_of(const void *bytes, size_t n);

/* To and from 16 lower-case hexadecimal digits, without a terminating NUL.  Parsing returns false for anything else. */
void tg_checksum_print(uint64_t value, char *digits);
bool tg_checksum_parse(const char *digits, uint64_t *value);
#endif
