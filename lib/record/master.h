/* master.h - bf16 weights with exact FP32 masters.
 *
 * The 32 bits u of an FP32 value are split into hi = (u + 0x8000) >> 16, the bf16 weight that kernels read, and lo, the
 * lower 16 bits as a signed integer: u = (hi << 16) + lo modulo 2^32, for every u.  So a weight takes 4 bytes, nothing
 * is lost, and hi is the nearest bf16 value (ties, one value in 65536, round away from zero).  Infinities stay
 * infinities; values beyond the largest bf16 value, 0x1.fep127, become infinities in hi.  The NaNs of arithmetic,
 * 0x7fc00000 and 0xffc00000, are NaNs in hi; NaNs with bits 0x7f800001 to 0x7f807fff (either sign) are infinities, and
 * those from 0x7fff8000 on are -0 (from 0xffff8000: 0).
 *
 * A split weight is a leaf of dtype bf16: tg_data returns hi, tg_edit the FP32 values (split again when the weight is
 * next used), tg_copy an f32 tensor of them. */
#ifndef TG_MASTER_H
#define TG_MASTER_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

static inline uint32_t tg_join_bits(uint16_t hi, int16_t lo) { return ((uint32_t)hi << 16) + (uint32_t)(int32_t)lo; }
static inline uint16_t tg_split_hi(uint32_t bits) { return (uint16_t)((bits + 0x8000u) >> 16); }
static inline int16_t tg_split_lo(uint32_t bits) { return (int16_t)(uint16_t)bits; }

/* Splits n f32 leaves in place, including tensors that share their memory (tg_reshape, tg_detach): all, or none if s
 * fails (a tensor is not an f32 leaf of s's tree, or memory is short). */
void tg_split_masters(tg_scope *s, tg_tensor *const t[], int n);
bool tg_is_split(const tg_tensor *t);
int16_t *tg_lo(const tg_tensor *t); /* lo of a split weight, as tg_ptr returns hi; NULL: not split */
/* Lets a weight keep its packed copies, which kernels otherwise make before each call.  tg_optimize calls it. */
void tg_keep_packs(tg_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
