/* kernels.h - how an operator's file lists its kernels, whatever the build's options.
 *
 *     TG_VECTOR_DECLARE(relu_vector)
 *     extern const tg_kernel relu_ref;
 *     .kernels = TG_KERNELS(TG_ONEDNN(relu_onednn), TG_VECTOR(relu_vector), &relu_ref) */
#ifndef TG_KERNELS_H
#define TG_KERNELS_H
#include "op.h"

/* Stand-ins for a library's kernels in a build without it: they reject every call. */
extern const tg_kernel tg_onednn_not_built, tg_openblas_not_built;

#if TG_WITH_ONEDNN
#define TG_ONEDNN(kernel) &kernel
#else
#define TG_ONEDNN(kernel) &tg_onednn_not_built
#endif

#if TG_WITH_OPENBLAS
#define TG_OPENBLAS(kernel) &kernel
#else
#define TG_OPENBLAS(kernel) &tg_openblas_not_built
#endif

/* ops/vector/X.c is compiled once for each of these. */
#define TG_VECTOR_DECLARE(kernel) extern const tg_kernel kernel##_avx512, kernel##_avx2, kernel##_generic;
#define TG_VECTOR(kernel)         &kernel##_avx512, &kernel##_avx2, &kernel##_generic

/* ops/brgemm/X.c has a kernel for each microkernel. */
#define TG_BRGEMM_DECLARE(kernel) \
    extern const tg_kernel kernel##_amx_bf16, kernel##_avx512_bf16, kernel##_avx512, kernel##_avx2, kernel##_generic;
#define TG_BRGEMM_BF16(kernel) &kernel##_amx_bf16, &kernel##_avx512_bf16 /* only for bf16 */
#define TG_BRGEMM_F32(kernel)  &kernel##_avx512, &kernel##_avx2, &kernel##_generic
#define TG_BRGEMM(kernel)      TG_BRGEMM_BF16(kernel), TG_BRGEMM_F32(kernel)
#endif
