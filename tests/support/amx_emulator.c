/* amx_emulator.c - decodes and executes tile instructions on SIGILL.  See amx_emulator.h. */
#include "amx_emulator.h"
#include <cpuid.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64, PAIRS = ROW_BYTES / 4 };
enum { NO_PREFIX, PREFIX_66, PREFIX_F3, PREFIX_F2 };
enum { DAZ_FTZ_MASKED = 0x9fc0 }; /* MXCSR: round to nearest, denormals are zeros, no traps */

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

typedef union {
    uint8_t byte[ROWS][ROW_BYTES];
    uint16_t bf16[ROWS][2 * PAIRS];
    uint32_t word[ROWS][PAIRS];
    float number[ROWS][PAIRS];
} tile;

typedef struct { /* VEX, map 0F38, W0, 128 bits: the encoding of all tile instructions */
    uint8_t opcode, prefix, reg, rm, third;
    bool memory, has_index;
    uint8_t *address;
    int64_t stride;
    int length;
} instruction;

static _Thread_local tile_config config;
static _Thread_local tile tiles[TILES];
static atomic_bool installed;
static struct {
    atomic_long configs, releases, zeros, loads, stores, products_bf16, products_int8;
    atomic_long product_rows, load_rows, store_rows;
} counted;

static void die(const char *what)
{
    dprintf(STDERR_FILENO, "amx_emulator: %s\n", what);
    abort();
}

static void die_at(const uint8_t *p)
{
    dprintf(STDERR_FILENO, "amx_emulator: no tile instruction that it knows, at %p: ", (const void *)p);
    for (int i = 0; i < 8; i++) dprintf(STDERR_FILENO, " %02x", p[i]);
    die("the bytes above");
}

/* ---- decoding ---- */

static uint64_t general(const greg_t *g, int n)
{
    static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                   REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return (uint64_t)g[order[n]];
}

static const uint8_t *displacement(const uint8_t *p, int bytes, uint64_t *address)
{
    int32_t wide = 0;
    int8_t narrow = 0;
    memcpy(bytes == 4 ? (void *)&wide : (void *)&narrow, p, (size_t)bytes);
    *address += (uint64_t)(int64_t)(wide + narrow);
    return p + bytes;
}

/* Decodes a memory operand; p points after its ModRM byte.  Returns the address after the operand. */
static const uint8_t *decode_memory(const uint8_t *p, const greg_t *g, int mod, int high_x, int high_b, instruction *i)
{
    uint64_t address = 0;
    int bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0, base = i->rm;
    i->has_index = base == 4; /* a SIB byte: base + index, the stride of a tile */
    if (i->has_index) {
        int scale = *p >> 6, index = (*p >> 3 & 7) | high_x;
        base = *p++ & 7;
        if (index != 4) i->stride = (int64_t)(general(g, index) << scale);
    }
    if (mod == 0 && base == 5) { /* no base: absolute with a SIB byte, otherwise rip-relative */
        p = displacement(p, 4, &address);
        if (!i->has_index) address += (uint64_t)(uintptr_t)p;
    } else {
        address = general(g, base | high_b);
        p = displacement(p, bytes, &address);
    }
    i->address = (uint8_t *)(uintptr_t)address;
    return p;
}

static bool decode(const uint8_t *p, const greg_t *g, instruction *i)
{
    const uint8_t *end = p + 5;
    if (p[0] != 0xc4 || (p[1] & 0x9f) != 0x82 || (p[2] & 0x84)) return false;
    *i = (instruction){
        .opcode = p[3],
        .prefix = p[2] & 3,
        .third = ~p[2] >> 3 & 15,
        .reg = p[4] >> 3 & 7,
        .rm = p[4] & 7,
        .memory = p[4] >> 6 != 3,
    };
    if (i->memory) end = decode_memory(end, g, p[4] >> 6, p[1] & 0x40 ? 0 : 8, p[1] & 0x20 ? 0 : 8, i);
    else if (!(p[1] & 0x20)) return false;
    i->length = (int)(end - p);
    return i->third < TILES;
}

/* ---- configuration ---- */

static void check_shape(int t)
{
    const int rows = config.rows[t], bytes = config.row_bytes[t];
    if (t >= TILES && (rows || bytes)) die("ldtilecfg: a shape for a tile above tmm7");
    if (rows > ROWS || bytes > ROW_BYTES) die("ldtilecfg: a tile of more than 16 rows or 64 bytes a row");
    if (!rows != !bytes) die("ldtilecfg: a tile with rows but no bytes, or bytes but no rows");
}

static void load_config(const uint8_t *from)
{
    static const uint8_t zeros[sizeof config.reserved];
    memcpy(&config, from, sizeof config);
    memset(tiles, 0, sizeof tiles);
    counted.configs++;
    if (config.palette == 0) memset(&config, 0, sizeof config);
    if (config.palette > 1) die("ldtilecfg: palette is neither 0 nor 1");
    if (memcmp(config.reserved, zeros, sizeof zeros)) die("ldtilecfg: reserved bytes are not zero");
    if (config.start_row) die("ldtilecfg: a start row, as only an interrupted load leaves it");
    for (int t = 0; t < 16; t++) check_shape(t);
}

static void release(void)
{
    memset(&config, 0, sizeof config);
    memset(tiles, 0, sizeof tiles);
    counted.releases++;
}

static void need(int t)
{
    if (config.palette != 1) die("a tile instruction without a configuration (ldtilecfg, palette 1)");
    if (!config.rows[t]) die("a tile that the configuration leaves empty");
    if (config.row_bytes[t] % 4) die("a tile whose rows are not whole groups of 4 bytes");
}

/* ---- loads and stores: this file's own code accesses memory, so AddressSanitizer instruments it ---- */

static void load(const instruction *i)
{
    tile *t = &tiles[i->reg];
    need(i->reg);
    memset(t, 0, sizeof *t);
    for (int r = 0; r < config.rows[i->reg]; r++)
        memcpy(t->byte[r], i->address + r * i->stride, config.row_bytes[i->reg]);
    counted.loads++;
    counted.load_rows += config.rows[i->reg];
}

static void store(const instruction *i)
{
    need(i->reg);
    for (int r = 0; r < config.rows[i->reg]; r++)
        memcpy(i->address + r * i->stride, tiles[i->reg].byte[r], config.row_bytes[i->reg]);
    counted.stores++;
    counted.store_rows += config.rows[i->reg];
}

/* ---- products: c += a b ---- */

static void need_product(int c, int a, int b)
{
    need(c), need(a), need(b);
    if (c == a || c == b || a == b) die("a tile product whose three tiles are not different ones");
    if (config.rows[c] != config.rows[a] || config.row_bytes[c] != config.row_bytes[b] ||
        config.rows[b] != config.row_bytes[a] / 4)
        die("a tile product whose shapes do not fit");
    counted.product_rows += config.rows[c];
}

static inline float number_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* One row: even and odd products are summed separately, each with one rounding, and then added to c. */
__attribute__((target("avx2,fma"), no_sanitize("address", "undefined"))) static void bf16_row(float *c,
                                                                                              const uint32_t *a,
                                                                                              const tile *b, int pairs)
{
    float even[PAIRS] = { 0 }, odd[PAIRS] = { 0 };
    for (int k = 0; k < pairs; k++) {
        const float low = number_of(a[k] << 16), high = number_of(a[k] & 0xffff0000u);
        for (int n = 0; n < PAIRS; n++) {
            even[n] = __builtin_fmaf(low, number_of(b->word[k][n] << 16), even[n]);
            odd[n] = __builtin_fmaf(high, number_of(b->word[k][n] & 0xffff0000u), odd[n]);
        }
    }
    for (int n = 0; n < PAIRS; n++) c[n] += even[n] + odd[n];
}

/* Columns beyond c's are zero in b, so they stay zero. */
static void product_bf16(int c, int a, int b)
{
    need_product(c, a, b);
    for (int m = 0; m < config.rows[c]; m++)
        bf16_row(tiles[c].number[m], tiles[a].word[m], &tiles[b], config.row_bytes[a] / 4);
    counted.products_bf16++;
}

static int int8_of(uint8_t byte, bool is_signed) { return is_signed ? (int8_t)byte : byte; }

static void product_int8(int c, int a, int b, bool a_signed, bool b_signed)
{
    need_product(c, a, b);
    for (int m = 0; m < config.rows[c]; m++)
        for (int k = 0; k < config.row_bytes[a]; k++)
            for (int n = 0; n < config.row_bytes[c] / 4; n++)
                tiles[c].word[m][n] += (uint32_t)(int8_of(tiles[a].byte[m][k], a_signed) *
                                                  int8_of(tiles[b].byte[k / 4][4 * n + k % 4], b_signed));
    counted.products_int8++;
}

/* ---- execution ---- */

static bool execute_config(const instruction *i)
{
    if (i->memory && i->reg == 0 && i->prefix == NO_PREFIX) return load_config(i->address), true;
    if (i->memory && i->reg == 0 && i->prefix == PREFIX_66) return memcpy(i->address, &config, sizeof config), true;
    if (!i->memory && i->reg == 0 && i->rm == 0 && i->prefix == NO_PREFIX) return release(), true;
    if (i->memory || i->rm != 0 || i->prefix != PREFIX_F2) return false;
    need(i->reg);
    memset(&tiles[i->reg], 0, sizeof(tile));
    counted.zeros++;
    return true;
}

static bool execute(const instruction *i)
{
    const int p = i->prefix;
    const bool product = !i->memory;
    if (i->opcode == 0x49) return execute_config(i); /* ld/sttilecfg, release, zero */
    if (i->opcode == 0x4b && i->has_index && (p == PREFIX_F2 || p == PREFIX_66)) return load(i), true;
    if (i->opcode == 0x4b && i->has_index && p == PREFIX_F3) return store(i), true;
    if (i->opcode == 0x5c && product && p == PREFIX_F3) return product_bf16(i->reg, i->rm, i->third), true;
    if (i->opcode != 0x5e || !product) return false;
    product_int8(i->reg, i->rm, i->third, p == PREFIX_F2 || p == PREFIX_F3, p == PREFIX_F2 || p == PREFIX_66);
    return true;
}

static bool has_tiles(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1);
}

/* A processor with tiles configures them without permission; only instructions that access tile data trap.  XSAVE
 * stores the configuration in the signal frame as component 17. */
static unsigned config_at; /* bytes from the start of the frame; 0: there are no tiles */

static void find_config(const ucontext_t *context)
{
    const uint8_t *frame = (const uint8_t *)context->uc_mcontext.fpregs;
    uint64_t saved;
    memcpy(&saved, frame + 512, sizeof saved);
    memset(&config, 0, sizeof config);
    if (saved >> 17 & 1) memcpy(&config, frame + config_at, sizeof config);
}

static void on_sigill(int number, siginfo_t *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    instruction i;
    const uint8_t *at = (const uint8_t *)(uintptr_t)g[REG_RIP];
    (void)number, (void)info;
    __builtin_ia32_ldmxcsr(DAZ_FTZ_MASKED); /* the interrupted code's MXCSR is restored with its registers */
    if (config_at) find_config(context);
    if (!decode(at, g, &i) || !execute(&i)) die_at(at);
    g[REG_RIP] += i.length;
}

/* ---- interface ---- */

/* cmocka installs a SIGILL handler for each of its tests; this keeps the emulator's. */
sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction next = { .sa_handler = handler, .sa_flags = SA_RESTART }, before;
    if (number == SIGILL && installed) return SIG_DFL;
    return sigaction(number, &next, &before) ? SIG_ERR : before.sa_handler;
}

static bool install(void)
{
    struct sigaction action = { .sa_sigaction = on_sigill, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };
    const bool can = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    unsigned size, offset, c, d;
    if (has_tiles() && __get_cpuid_count(13, 17, &size, &offset, &c, &d)) config_at = offset;
    if (!installed && can) installed = sigaction(SIGILL, &action, NULL) == 0;
    return installed;
}

bool amx_emulator_install(void) { return !has_tiles() && install(); }

amx_counts amx_counts_now(void)
{
    return (amx_counts){ counted.configs,   counted.releases,      counted.zeros,         counted.loads,
                         counted.stores,    counted.products_bf16, counted.products_int8, counted.product_rows,
                         counted.load_rows, counted.store_rows };
}

void amx_forget_counts(void)
{
    atomic_long *const all[] = { &counted.configs,       &counted.releases,     &counted.zeros,
                                 &counted.loads,         &counted.stores,       &counted.products_bf16,
                                 &counted.products_int8, &counted.product_rows, &counted.load_rows,
                                 &counted.store_rows };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = 0;
}

__attribute__((constructor)) static void install_if_asked(void)
{
    const char *assume = getenv("TG_ASSUME_AMX");
    if (assume && !strcmp(assume, "1")) install();
}
