/* checksum.h - XXH3 (64 bits) of bytes that come piece by piece.  Private to lib. */
#ifndef TG_CHECKSUM_H
#define TG_CHECKSUM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_CHECKSUM_DIGITS = 16 };

typedef struct tg_checksum tg_checksum;

tg_checksum *tg_checksum_new(void);     /* begun; NULL: no memory.  tg_system_free frees it */
void tg_checksum_begin(tg_checksum *c); /* anew */
void tg_checksum_add(tg_checksum *c, const void *bytes, size_t n);
uint64_t tg_checksum_value(const tg_checksum *c); /* of what was added since the beginning */
uint64_t tg_checksum_of(const void *bytes, size_t n);

/* As 16 lower-case hexadecimal digits, without a 0 behind them.  Reading: false if they are not such. */
void tg_checksum_print(uint64_t value, char *digits);
bool tg_checksum_parse(const char *digits, uint64_t *value);
#endif
