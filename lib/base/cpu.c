/* cpu.c - detects instruction sets by CPUID, XCR0 and, for AMX, one trial product.  See cpu.h. */
#include "cpu.h"
#include <cpuid.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; /* linux/arch/x86/include/uapi/asm/prctl.h */

typedef struct {
    tg_isa best, cap;
    tg_amx_probe amx;
    bool fast_dpbf16;
    char name[64], flags[256];
} cpu_facts;

static cpu_facts facts;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *tg_isa_name(tg_isa isa)
{
    static const char *const name[TG_ISAS] = { "generic", "avx2", "avx512", "avx512_bf16", "amx" };
    return (unsigned)isa < TG_ISAS ? name[isa] : "unknown";
}

static bool leaf7(unsigned sub, unsigned r[4]) { return __get_cpuid_count(7, sub, &r[0], &r[1], &r[2], &r[3]); }

static uint64_t xcr0(void)
{
    unsigned r[4];
    if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] & bit_OSXSAVE)) return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* ---- AMX ---- */

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* 16x32 ones times 32x16 twos in bf16: all 256 results must be 64. */
__attribute__((target("amx-tile,amx-bf16"))) static bool trial_product(void)
{
    static const uint16_t one = 0x3f80, two = 0x4000;
    uint16_t a[16][32], b[16][32];
    float c[16][16];
    tile_config config = { .palette = 1 };
    for (int i = 0; i < 3; i++) config.row_bytes[i] = 64, config.rows[i] = 16;
    for (int i = 0; i < 16 * 32; i++) a[i / 32][i % 32] = one, b[i / 32][i % 32] = two;
    memset(c, 0, sizeof c);
    __asm__ volatile("ldtilecfg %[config]\n\t"
                     "tilezero %%tmm0\n\t"
                     "tileloadd (%[a],%[stride],1), %%tmm1\n\t"
                     "tileloadd (%[b],%[stride],1), %%tmm2\n\t"
                     "tdpbf16ps %%tmm2, %%tmm1, %%tmm0\n\t"
                     "tilestored %%tmm0, (%[c],%[stride],1)\n\t"
                     "tilerelease"
                     :
                     : [config] "m"(config), [a] "r"(a), [b] "r"(b), [c] "r"(c), [stride] "r"((long)64)
                     : "memory");
    for (int i = 0; i < 256; i++)
        if (c[i / 16][i % 16] != 64.0f) return false;
    return true;
}

static tg_amx_probe probe_amx(void)
{
    tg_amx_probe probe = { 0 };
    unsigned r[4];
    const char *assume = getenv("TG_ASSUME_AMX");
    probe.assumed = assume && !strcmp(assume, "1");
    probe.cpuid = leaf7(0, r) && (r[3] >> 24 & 1) && (r[3] >> 22 & 1);
    probe.xcr0 = (xcr0() >> 17 & 3) == 3;
    /* An emulator traps tile instructions only while they are not permitted, even on a CPU that has tiles. */
    probe.permission = probe.cpuid && probe.xcr0 && !probe.assumed &&
                       !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
    if (probe.permission || probe.assumed) probe.product = trial_product();
    return probe;
}

/* ---- other instruction sets, the processor's name ---- */

static tg_isa best_isa(const tg_amx_probe *amx)
{
    unsigned r[4] = { 0 }, s[4] = { 0 };
    uint64_t state = xcr0();
    bool ymm = (state & 6) == 6, zmm = (state & 0xe6) == 0xe6;
    bool fma = __get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) && (r[2] & bit_FMA);
    if (!ymm || !fma || !leaf7(0, r) || !(r[1] & bit_AVX2)) return TG_ISA_GENERIC;
    const unsigned wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if (!zmm || (r[1] & wanted) != wanted) return TG_ISA_AVX2;
    if (!leaf7(1, s) || !(s[0] & bit_AVX512BF16)) return TG_ISA_AVX512;
    return amx->product ? TG_ISA_AMX : TG_ISA_AVX512_BF16;
}

static bool is_amd(void)
{
    unsigned max, b, c, d;
    return __get_cpuid(0, &max, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
           d == signature_AMD_edx;
}

static void read_name(char name[64])
{
    unsigned r[12];
    snprintf(name, 64, "unknown processor");
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3])) return;
    memcpy(name, r, sizeof r);
    name[48] = 0;
}

static void read_flags(char flags[256])
{
    unsigned r[4] = { 0 }, s[4] = { 0 };
    leaf7(0, r);
    leaf7(1, s);
    const struct {
        const char *name;
        unsigned has;
    } flag[] = {
        { "avx2", r[1] & bit_AVX2 },
        { "avx512f", r[1] & bit_AVX512F },
        { "avx512bw", r[1] & bit_AVX512BW },
        { "avx512_vnni", r[2] & bit_AVX512VNNI },
        { "avx512_bf16", s[0] & bit_AVX512BF16 },
        { "amx_tile", r[3] & 1u << 24 },
        { "amx_bf16", r[3] & 1u << 22 },
        { "amx_int8", r[3] & 1u << 25 },
    };
    flags[0] = 0;
    for (unsigned i = 0; i < sizeof flag / sizeof *flag; i++)
        if (flag[i].has) strcat(strcat(flags, *flags ? " " : ""), flag[i].name);
}

static tg_isa read_cap(void)
{
    const char *value = getenv("TG_MAX_ISA");
    for (tg_isa isa = TG_ISA_GENERIC; value && isa < TG_ISAS; isa++)
        if (!strcmp(value, tg_isa_name(isa))) return isa;
    return TG_ISAS - 1;
}

static void detect(void)
{
    facts.amx = probe_amx();
    facts.best = best_isa(&facts.amx);
    facts.fast_dpbf16 = facts.best >= TG_ISA_AVX512_BF16 && is_amd();
    facts.cap = read_cap();
    read_name(facts.name);
    read_flags(facts.flags);
}

static const cpu_facts *cpu(void)
{
    pthread_once(&once, detect);
    return &facts;
}

tg_isa tg_cpu_isa(void) { return cpu()->best; }
tg_isa tg_max_isa(void) { return cpu()->cap < cpu()->best ? cpu()->cap : cpu()->best; }
bool tg_fast_dpbf16(void) { return cpu()->fast_dpbf16; }
tg_amx_probe tg_probe_amx(void) { return cpu()->amx; }
const char *tg_cpu_name(void) { return cpu()->name; }
const char *tg_cpu_flags(void) { return cpu()->flags; }
