/* cpu.h - the processor, and the instruction sets that may be used. */
#ifndef TG_CPU_H
#define TG_CPU_H
#include <stdbool.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Each includes those before it.  avx2 is AVX2 and FMA; avx512 is F, BW, DQ and VL; amx is AMX-TILE and AMX-BF16. */
typedef enum { TG_ISA_GENERIC, TG_ISA_AVX2, TG_ISA_AVX512, TG_ISA_AVX512_BF16, TG_ISA_AMX, TG_ISAS } tg_isa;

const char *tg_isa_name(tg_isa isa); /* "generic", "avx2", "avx512", "avx512_bf16", "amx" */
tg_isa tg_cpu_isa(void);             /* the best that processor and operating system support */
tg_isa tg_max_isa(void);             /* the same, limited by TG_MAX_ISA=amx|avx512_bf16|avx512|avx2|generic */

/* True if vdpbf16ps has a higher throughput than FP32 arithmetic: twice on AMD processors, half on Intel's.  Decided by
 * the vendor rather than measured, because the two round differently and results must not depend on timing. */
bool tg_fast_dpbf16(void);

/* AMX is used only if all of these checks pass, in this order.  TG_ASSUME_AMX=1 skips the first three, for emulators.
 */
typedef struct {
    bool cpuid;      /* CPUID.7: AMX-TILE and AMX-BF16 */
    bool xcr0;       /* the operating system saves tile registers */
    bool permission; /* arch_prctl(ARCH_REQ_XCOMP_PERM) was granted */
    bool product;    /* a trial product of tiles was right */
    bool assumed;    /* TG_ASSUME_AMX=1 */
} tg_amx_probe;
tg_amx_probe tg_probe_amx(void);
const char *tg_cpu_name(void);  /* the model name */
const char *tg_cpu_flags(void); /* those relevant here: "avx2 avx512f ..." */

#ifdef __cplusplus
}
#endif
#endif
