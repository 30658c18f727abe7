/* checksum.c - XXH3 through xxhash.h.  See checksum.h. */
#include "checksum.h"
#include "system.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

struct tg_checksum {
    XXH3_state_t state;
};

tg_checksum *tg_checksum_new(void)
{
    tg_checksum *const c = tg_system_alloc(sizeof *c);
    if (c) tg_checksum_begin(c);
    return c;
}

void tg_checksum_begin(tg_checksum *c) { XXH3_64bits_reset(&c->state); }
uint64_t tg_checksum_value(const tg_checksum *c) { return XXH3_64bits_digest(&c->state); }
uint64_t tg_checksum_of(const void *bytes, size_t n) { return XXH3_64bits(bytes, n); }

void tg_checksum_add(tg_checksum *c, const void *bytes, size_t n)
{
    if (n > 0) XXH3_64bits_update(&c->state, bytes, n);
}

void tg_checksum_print(uint64_t value, char *digits)
{
    for (int i = 0; i < TG_CHECKSUM_DIGITS; i++) digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
}

bool tg_checksum_parse(const char *digits, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < TG_CHECKSUM_DIGITS; i++) {
        const char c = digits[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}
