/* dtype.h - element types.
 *
 * A tensor has one of six element types.  Arithmetic is in FP32; bf16 is a storage type, u8 is for images, i32 and i64
 * for classes and indices. */
#ifndef TG_DTYPE_H
#define TG_DTYPE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TG_F32, TG_BF16, TG_U8, TG_I8, TG_I32, TG_I64, TG_DTYPES } tg_dtype;

size_t tg_dtype_size(tg_dtype dtype);      /* bytes of an element; 0: not a dtype */
const char *tg_dtype_name(tg_dtype dtype); /* "f32", "bf16", "u8", "i8", "i32", "i64" */

/* bf16 is the upper 16 bits of FP32.  Rounds to nearest, ties to even; a NaN becomes a quiet NaN. */
float tg_bf16_to_f32(uint16_t bits);
uint16_t tg_f32_to_bf16(float value);

#ifdef __cplusplus
}
#endif
#endif
