/* peak.c - runs short loops of multiply instructions on registers, on all threads; reports the best of several. */
#include "peak.h"
#include "status_line.h"
#include <tilegrad/tilegrad.h>
#include <string.h>

enum { ROUNDS = 5, TURNS = 100000 };

/* 12 independent accumulators hide the instruction's latency. */
#define TWELVE(F) F("0") F("1") F("2") F("3") F("4") F("5") F("6") F("7") F("8") F("9") F("10") F("11")
#define ZMM(r)    "vfmadd231ps %%zmm31, %%zmm30, %%zmm" r "\n\t"
#define YMM(r)    "vfmadd231ps %%ymm15, %%ymm14, %%ymm" r "\n\t"
#define CLOBBER   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"

static void fma512(void *context, int64_t index, int worker)
{
    (void)context, (void)index, (void)worker;
    __asm__ volatile("vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31" ::: "memory");
    for (int i = 0; i < TURNS; i++) __asm__ volatile(TWELVE(ZMM)::: CLOBBER);
}

static void fma256(void *context, int64_t index, int worker)
{
    (void)context, (void)index, (void)worker;
    __asm__ volatile("vpxor %%ymm14, %%ymm14, %%ymm14\n\tvpxor %%ymm15, %%ymm15, %%ymm15" ::: "memory");
    for (int i = 0; i < TURNS; i++) __asm__ volatile(TWELVE(YMM)::: CLOBBER);
}

/* Without fused multiply-adds: a product and a sum of 4 elements, both counted. */
static void sse(void *context, int64_t index, int worker)
{
    (void)context, (void)index, (void)worker;
#define MULADD(r) "mulps %%xmm15, %%xmm14\n\taddps %%xmm15, %%xmm" r "\n\t"
    for (int i = 0; i < TURNS; i++) __asm__ volatile(TWELVE(MULADD)::: CLOBBER, "xmm14");
}

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Four 16 x 16 accumulators of whole tiles, like the GEMM kernels. */
static void tiles(void *context, int64_t index, int worker)
{
    tile_config config = { .palette = 1 };
    (void)context, (void)index, (void)worker;
    for (int i = 0; i < 8; i++) config.row_bytes[i] = 64, config.rows[i] = 16;
    __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm4\n\ttilezero %%tmm5\n\ttilezero %%tmm6\n\ttilezero %%tmm7"
                     :
                     : "m"(config));
    for (int i = 0; i < TURNS / 4; i++)
        __asm__ volatile("tdpbf16ps %tmm6, %tmm4, %tmm0\n\ttdpbf16ps %tmm7, %tmm4, %tmm1\n\t"
                         "tdpbf16ps %tmm6, %tmm5, %tmm2\n\ttdpbf16ps %tmm7, %tmm5, %tmm3");
    __asm__ volatile("tilerelease");
}

static double best(void (*loop)(void *, int64_t, int), double flops)
{
    double least = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        const double began = seconds();
        tg_parallel(tg_threads(), loop, NULL);
        const double took = seconds() - began;
        if (took < least) least = took;
    }
    return flops * tg_threads() / least * 1e-9;
}

peak peak_fp32(void)
{
    const double turn = 12.0 * 2 * TURNS;
    if (tg_max_isa() >= TG_ISA_AVX512) return (peak){ "FP32 FMA, 512 bits", best(fma512, turn * 16) };
    if (tg_max_isa() >= TG_ISA_AVX2) return (peak){ "FP32 FMA, 256 bits", best(fma256, turn * 8) };
    return (peak){ "FP32 products and sums, 128 bits", best(sse, turn * 4) };
}

peak peak_bf16(void)
{
    if (tg_max_isa() < TG_ISA_AMX) return peak_fp32();
    return (peak){ "AMX tiles, BF16", best(tiles, 2.0 * 16 * 16 * 32 * TURNS) };
}
