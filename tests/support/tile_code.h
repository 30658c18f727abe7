/* tile_code.h - tile instructions, and the configurations they need, for the tests of their emulator. */
#ifndef TG_TESTS_TILE_CODE_H
#define TG_TESTS_TILE_CODE_H
#include <stdint.h>

#define TILES_USED                __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#define ASM(...)                  __asm__ volatile(__VA_ARGS__ : "memory")
#define TILELOAD(t, from, stride) ASM("tileloadd (%0,%1,1), %%tmm" #t ::"r"(from), "r"((long)(stride)))
#define TILESTORE(t, to, stride)  ASM("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(to), "r"((long)(stride)))
#define TILEZERO(t)               ASM("tilezero %%tmm" #t ::)
#define RELEASE()                 ASM("tilerelease" ::)

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} shapes;

TILES_USED static inline void configure(const shapes *s) { ASM("ldtilecfg %0" ::"m"(*s)); }

static inline shapes one_shape(int tiles, int rows, int bytes)
{
    shapes s = { .palette = 1 };
    for (int t = 0; t < tiles; t++) s.rows[t] = (uint8_t)rows, s.row_bytes[t] = (uint16_t)bytes;
    return s;
}
#endif
