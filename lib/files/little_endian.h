/* little_endian.h - little-endian integers in files.  Private to lib. */
#ifndef TG_LITTLE_ENDIAN_H
#define TG_LITTLE_ENDIAN_H
#include <stdint.h>

/* Integers of 1 to 8 bytes. */
static inline uint64_t tg_get_le(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | from[i];
    return value;
}

static inline void tg_put_le(uint8_t *to, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}
#endif
