/* peak.h - what the processor's multipliers can do at most. */
#ifndef TG_APPS_PEAK_H
#define TG_APPS_PEAK_H

typedef struct {
    const char *instruction;
    double gflops;
} peak; /* of all tg_threads() together */

peak peak_fp32(void); /* fused multiply-adds on registers, in the widest vectors allowed */
peak peak_bf16(void); /* tile products if AMX may be used; else peak_fp32: bf16 is widened */
#endif
