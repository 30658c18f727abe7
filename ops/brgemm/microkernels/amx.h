/* amx.h - AMX's instructions, as inline assembly: the compiler's intrinsics do not declare that they read memory. */
#ifndef TG_AMX_H
#define TG_AMX_H
#include <stdint.h>

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tg_tile_config;

#define TG_TILE_CONFIGURE(config) __asm__ volatile("ldtilecfg %0" ::"m"(config) : "memory")
#define TG_TILE_RELEASE()         __asm__ volatile("tilerelease" ::: "memory")
#define TG_TILE_ZERO(t)           __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define TG_TILE_LOAD(t, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(from), "r"((int64_t)(stride)) : "memory")
/* The same for memory that is not read again soon: it evicts nothing from L1. */
#define TG_TILE_STREAM(t, from, stride) \
    __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #t ::"r"(from), "r"((int64_t)(stride)) : "memory")
#define TG_TILE_STORE(t, to, stride) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(to), "r"((int64_t)(stride)) : "memory")
/* c += a b, in bf16 */
#define TG_TILE_PRODUCT(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::: "memory")
#endif
