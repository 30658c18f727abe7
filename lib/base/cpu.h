/* cpu.h - what this processor can do, and how far the user lets us use it. */
#ifndef TG_CPU_H
#define TG_CPU_H
#include <stdbool.h>
#ifdef __cplusplus
extern "C" {
#endif

/* In order of preference; each has what those before it have.  avx2 means AVX2 + FMA; avx512 means F + BW + DQ + VL;
 * amx means AMX-TILE + AMX-BF16. */
typedef enum { TG_ISA_GENERIC, TG_ISA_AVX2, TG_ISA_AVX512, TG_ISA_AVX512_BF16, TG_ISA_AMX, TG_ISAS } tg_isa;

const char *tg_isa_name(tg_isa isa); /* "generic", "avx2", "avx512", "avx512_bf16", "amx" */
tg_isa tg_cpu_isa(void);             /* the best that CPU and operating system give */
tg_isa tg_max_isa(void);             /* the same, capped by TG_MAX_ISA=amx|avx512_bf16|avx512|avx2|generic */

/* vdpbf16ps does more products a cycle than FP32 arithmetic: twice as many on AMD's processors, half as many on
 * Intel's. Told by the vendor, not by a clock: results, which differ by rounding, must not depend on the moment. */
bool tg_fast_dpbf16(void);

/* AMX counts as present only if each of these agrees, in this order.  TG_ASSUME_AMX=1 skips the first three (for an
 * emulator); the trial product still decides. */
typedef struct {
    bool cpuid;      /* CPUID.7: AMX-TILE and AMX-BF16 */
    bool xcr0;       /* the system saves tile registers */
    bool permission; /* arch_prctl(ARCH_REQ_XCOMP_PERM) was granted */
    bool product;    /* one real tile product gave the right numbers */
    bool assumed;    /* TG_ASSUME_AMX=1 */
} tg_amx_probe;
tg_amx_probe tg_probe_amx(void);
const char *tg_cpu_name(void);  /* the model name, for reports */
const char *tg_cpu_flags(void); /* those that matter here: "avx2 fma avx512f ..." */

#ifdef __cplusplus
}
#endif
#endif
