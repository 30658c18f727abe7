/* master.h - bf16 weights with exact FP32 masters.
 *
 * With u the bits of an FP32 number, hi = (u + 0x8000) >> 16 is the bf16 weight that kernels read, and lo, the lower 16
 * bits as a signed number, what is missing: u = (hi << 16) + lo, modulo 2^32, for every u.  4 bytes a number, nothing
 * is lost, and hi is the nearest bf16 number (of two equally near ones that of larger magnitude: one in 65536).
 * Infinities stay infinities; numbers beyond the largest bf16 number, 0x1.fep127, show as infinities; so do NaNs with
 * bits 0x7f800001 to 0x7f807fff (and negative ones), and NaNs from 0x7fff8000 on as -0 (0xffff8000: as 0).  NaNs that
 * arithmetic makes, 0x7fc00000 and 0xffc00000, show as NaNs.
 *
 * A split weight is a leaf of dtype bf16: tg_data shows its hi, tg_edit its FP32 values (they are split when the weight
 * is next used), tg_copy makes an f32 tensor of them. */
#ifndef TG_MASTER_H
#define TG_MASTER_H
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

static inline uint32_t tg_join_bits(uint16_t hi, int16_t lo) { return ((uint32_t)hi << 16) + (uint32_t)(int32_t)lo; }
static inline uint16_t tg_split_hi(uint32_t bits) { return (uint16_t)((bits + 0x8000u) >> 16); }
static inline int16_t tg_split_lo(uint32_t bits) { return (int16_t)(uint16_t)bits; }

/* Splits n f32 leaves, in place, and with them what shares their memory (tg_reshape, tg_detach); all, or none if s
 * fails (a tensor that is no f32 leaf of s's tree, no memory). */
void tg_split_masters(tg_scope *s, tg_tensor *const t[], int n);
bool tg_is_split(const tg_tensor *t);
int16_t *tg_lo(const tg_tensor *t); /* of a split weight, beside tg_ptr's hi; NULL: it is not split */
/* Kernels read this weight often: it keeps what they pack of it, until it dies.  tg_optimize says so. */
void tg_keep_packs(tg_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
