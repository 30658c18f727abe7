/* dtype.c - sizes and names of element types, bf16 conversion.  See dtype.h. */
#include "dtype.h"
#include <string.h>

size_t tg_dtype_size(tg_dtype dtype)
{
    static const size_t size[TG_DTYPES] = { 4, 2, 1, 1, 4, 8 };
    return (unsigned)dtype < TG_DTYPES ? size[dtype] : 0;
}

const char *tg_dtype_name(tg_dtype dtype)
{
    static const char *const name[TG_DTYPES] = { "f32", "bf16", "u8", "i8", "i32", "i64" };
    return (unsigned)dtype < TG_DTYPES ? name[dtype] : "unknown";
}

float tg_bf16_to_f32(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &u, sizeof value);
    return value;
}

uint16_t tg_f32_to_bf16(float value)
{
    uint32_t u;
    memcpy(&u, &value, sizeof u);
    if (value != value) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
