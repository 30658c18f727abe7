/* tensor_file_convert.c - reads a file's elements as another dtype.  See tg_tensor_file_numbers.
 *
 * Each piece is read, widened to float or int64_t, and stored in the target's dtype. */
#include "tensor_file_kind.h"
#include <math.h>
#include <string.h>

enum { PIECE = 4096 }; /* elements */

/* ---- widening to float[n] or int64_t[n]; returns the number of elements before the first that does not fit ---- */

static float f16_to_f32(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f;
    uint32_t fraction = bits & 0x3ff, u = sign;
    float value;
    if (exponent == 0x1f) {
        u |= 0x7f800000 | fraction << 13;
    } else if (exponent > 0) {
        u |= (exponent + 112) << 23 | fraction << 13;
    } else if (fraction > 0) { /* below 2^-14: normal in FP32 */
        uint32_t shift = 0;
        for (; !(fraction & 0x400); shift++) fraction <<= 1;
        u |= (113 - shift) << 23 | (fraction & 0x3ff) << 13;
    }
    memcpy(&value, &u, sizeof value);
    return value;
}

/* A sign, an exponent, `fraction` bits.  The caller handles NaN. */
static float f8_to_f32(uint8_t bits, int fraction, int bias)
{
    const int exponent = (bits & 0x7f) >> fraction;
    const float part = (float)(bits & ((1 << fraction) - 1)) / (float)(1 << fraction);
    const float value = exponent ? ldexpf(1 + part, exponent - bias) : ldexpf(part, 1 - bias);
    return bits & 0x80 ? -value : value;
}

/* An exponent alone: a power of 2. */
static float e8m0_to_f32(uint8_t bits)
{
    const uint32_t u = bits == 0xff ? 0x7fc00000 : bits ? (uint32_t)bits << 23 : 0x00400000;
    float value;
    memcpy(&value, &u, sizeof value);
    return value;
}

/* Rounds to FP32 by truncation, and sets the last bit if anything was cut off (round to odd).  A second rounding, to
 * bf16, then gives the correctly rounded result. */
static float round_to_odd(double value)
{
    float near = (float)value;
    uint32_t u;
    if (value != value || (double)near == value) return near;
    memcpy(&u, &near, sizeof u);
    u = (u - (fabs((double)near) > fabs(value))) | 1;
    memcpy(&near, &u, sizeof near);
    return near;
}

#define WIDENING(name, from_type, to_type, fits, expression) \
    static size_t name(const void *from, size_t n, void *to) \
    { \
        const from_type *const in = from; \
        to_type *const out = to; \
        for (size_t k = 0; k < n; k++) { \
            const from_type x = in[k]; \
            if (!(fits)) return k; \
            out[k] = (to_type)(expression); \
        } \
        return n; \
    }

WIDENING(widen_f32, float, float, true, x)
WIDENING(widen_bf16, uint16_t, float, true, tg_bf16_to_f32(x))
WIDENING(widen_f16, uint16_t, float, true, f16_to_f32(x))
WIDENING(widen_e4m3, uint8_t, float, true, (x & 0x7f) == 0x7f ? NAN : f8_to_f32(x, 3, 7))
WIDENING(widen_e5m2, uint8_t, float, true, f16_to_f32((uint16_t)(x << 8)))
WIDENING(widen_e4m3fnuz, uint8_t, float, true, x == 0x80 ? NAN : f8_to_f32(x, 3, 8))
WIDENING(widen_e5m2fnuz, uint8_t, float, true, x == 0x80 ? NAN : f8_to_f32(x, 2, 16))
WIDENING(widen_e8m0, uint8_t, float, true, e8m0_to_f32(x))
WIDENING(round_f64, double, float, true, x)
WIDENING(odd_f64, double, float, true, round_to_odd(x))
WIDENING(widen_i64, int64_t, int64_t, true, x)
WIDENING(widen_i32, int32_t, int64_t, true, x)
WIDENING(widen_i16, int16_t, int64_t, true, x)
WIDENING(widen_i8, int8_t, int64_t, true, x)
WIDENING(widen_u64, uint64_t, int64_t, x <= INT64_MAX, x)
WIDENING(widen_u32, uint32_t, int64_t, true, x)
WIDENING(widen_u16, uint16_t, int64_t, true, x)
WIDENING(widen_u8, uint8_t, int64_t, true, x)
WIDENING(widen_bool, uint8_t, int64_t, true, x != 0)

/* ---- storing ---- */

WIDENING(store_f32, float, float, true, x)
WIDENING(store_bf16, float, uint16_t, true, tg_f32_to_bf16(x))
WIDENING(store_i64, int64_t, int64_t, true, x)
WIDENING(store_i32, int64_t, int32_t, x >= INT32_MIN && x <= INT32_MAX, x)

typedef size_t conversion(const void *from, size_t n, void *to);

typedef struct {
    const char *dtype; /* in the file */
    tg_dtype same;     /* the dtype that needs no conversion; TG_DTYPES: none */
    bool is_float;
    conversion *widen, *widen_for_bf16;
} source;

static const source sources[] = {
    { "F32", TG_F32, true, widen_f32, widen_f32 },
    { "BF16", TG_BF16, true, widen_bf16, widen_bf16 },
    { "F16", TG_DTYPES, true, widen_f16, widen_f16 },
    { "F64", TG_DTYPES, true, round_f64, odd_f64 },
    { "F8_E4M3", TG_DTYPES, true, widen_e4m3, widen_e4m3 },
    { "F8_E5M2", TG_DTYPES, true, widen_e5m2, widen_e5m2 },
    { "F8_E4M3FNUZ", TG_DTYPES, true, widen_e4m3fnuz, widen_e4m3fnuz },
    { "F8_E5M2FNUZ", TG_DTYPES, true, widen_e5m2fnuz, widen_e5m2fnuz },
    { "F8_E8M0", TG_DTYPES, true, widen_e8m0, widen_e8m0 },
    { "I64", TG_I64, false, widen_i64, NULL },
    { "I32", TG_I32, false, widen_i32, NULL },
    { "I16", TG_DTYPES, false, widen_i16, NULL },
    { "I8", TG_I8, false, widen_i8, NULL },
    { "U64", TG_DTYPES, false, widen_u64, NULL },
    { "U32", TG_DTYPES, false, widen_u32, NULL },
    { "U16", TG_DTYPES, false, widen_u16, NULL },
    { "U8", TG_U8, false, widen_u8, NULL },
    { "BOOL", TG_DTYPES, false, widen_bool, NULL },
};

static const source *find_source(const char *dtype)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (!strcmp(sources[i].dtype, dtype)) return &sources[i];
    return NULL;
}

/* NULL: there is no such conversion. */
static conversion *find_store(const source *from, tg_dtype as)
{
    if (from->is_float) return as == TG_F32 ? store_f32 : as == TG_BF16 ? store_bf16 : NULL;
    return as == TG_I64 ? store_i64 : as == TG_I32 ? store_i32 : NULL;
}

bool tg_tensor_file_can(const tg_file_tensor *t, tg_dtype as)
{
    const source *const from = t ? find_source(t->dtype) : NULL;
    return from && (from->same == as || find_store(from, as)) && as != TG_DTYPES;
}

static bool convert(tg_scope *s, tg_tensor_file *f, int i, int64_t first, int64_t n, tg_dtype as, void *to)
{
    const source *const from = find_source(f->tensor[i].dtype);
    conversion *const widen = as == TG_BF16 ? from->widen_for_bf16 : from->widen, *const store = find_store(from, as);
    const size_t size = (size_t)tg_file_dtype_find(from->dtype)->bits / 8;
    _Alignas(8) char raw[8 * PIECE], wide[8 * PIECE];
    for (int64_t done = 0; done < n;) {
        const size_t some = n - done < PIECE ? (size_t)(n - done) : PIECE;
        if (!tg_tensor_file_read(s, f, i, (uint64_t)(first + done) * size, some * size, raw)) return false;
        const size_t widened = widen(raw, some, wide),
                     good = store(wide, widened, (char *)to + (size_t)done * tg_dtype_size(as));
        if (good < some) {
            tg_name_text name;
            tg_fail(s, "%s: tensor '%s': element %lld of %s does not fit %s", f->path,
                    tg_printable(f->tensor[i].name, &name), (long long)(first + done + (int64_t)good), from->dtype,
                    tg_dtype_name(as));
            return false;
        }
        done += (int64_t)some;
    }
    return true;
}

bool tg_tensor_file_numbers(tg_scope *s, tg_tensor_file *f, int i, int64_t first, int64_t n, tg_dtype as, void *to)
{
    tg_name_text name;
    if (!tg_ok(s) || !tg_file_has(s, f, i)) return false;
    if (!to) return tg_fail(s, "%s: the destination is NULL", f->path), false;
    const tg_file_tensor *const t = &f->tensor[i];
    if (!tg_tensor_file_can(t, as)) {
        tg_fail(s, "%s: tensor '%s': %s cannot be read as %s", f->path, tg_printable(t->name, &name), t->dtype,
                tg_dtype_name(as));
        return false;
    }
    const int64_t size = tg_file_dtype_find(t->dtype)->bits / 8, all = (int64_t)t->bytes / size;
    if (first < 0 || n < 0 || first > all || n > all - first) {
        tg_fail(s, "%s: tensor '%s': %lld elements from %lld on, want within its %lld", f->path,
                tg_printable(t->name, &name), (long long)n, (long long)first, (long long)all);
        return false;
    }
    if (n > 0 && find_source(t->dtype)->same != as) return convert(s, f, i, first, n, as, to);
    return tg_tensor_file_read(s, f, i, (uint64_t)(first * size), (size_t)(n * size), to);
}
