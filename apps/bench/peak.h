/* peak.h - measures the processor's peak arithmetic throughput. */
#ifndef TG_APPS_PEAK_H
#define TG_APPS_PEAK_H

typedef struct {
    const char *instruction;
    double gflops;
} peak; /* of all tg_threads() combined */

peak peak_fp32(void); /* fused multiply-adds on registers, in the widest vectors allowed */
peak peak_bf16(void); /* tile products with AMX; otherwise peak_fp32, as bf16 is widened */
#endif
