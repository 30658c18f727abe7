/* dtype.h - element types.
 *
 * Tensors hold one of six types.  Arithmetic is FP32; bf16 is a storage type (the upper half of an FP32 number),
 * u8 holds images, i32 and i64 hold classes and indices. */
#ifndef TG_DTYPE_H
#define TG_DTYPE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TG_F32, TG_BF16, TG_U8, TG_I8, TG_I32, TG_I64, TG_DTYPES } tg_dtype;

size_t tg_dtype_size(tg_dtype dtype);      /* bytes of one element; 0 for a number that is no dtype */
const char *tg_dtype_name(tg_dtype dtype); /* "f32", "bf16", "u8", "i8", "i32", "i64" */

/* bf16 is the upper 16 bits of an FP32 number.  Rounding is to nearest, ties to even; a NaN stays a (quiet) NaN. */
float tg_bf16_to_f32(uint16_t bits);
uint16_t tg_f32_to_bf16(float value);

#ifdef __cplusplus
}
#endif
#endif
