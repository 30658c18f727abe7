/* amx_emulator.h - runs Intel AMX code on a processor without AMX: traps SIGILL, decodes the tile instruction and
 * executes it.
 *
 * A test program linked with it uses it with TG_ASSUME_AMX=1; any other program does with
 * LD_PRELOAD=libamx_emulator.so, even on a processor with tiles, where the probe then does not request the permission
 * to use them.  It is exact (the manual's arithmetic: even and odd products summed separately, each rounded once,
 * denormals flushed) and stricter than silicon: a shape that the manual forbids ends the program with a message.
 * Compiled with AddressSanitizer it detects tile loads out of bounds. */
#ifndef AMX_EMULATOR_H
#define AMX_EMULATOR_H
#include <stdbool.h>

/* Counts since amx_forget_counts, over all threads.  Rows give cycles by the published throughput: a product needs one
 * per row of its sum, a load one per two rows, a store one per row. */
typedef struct {
    long configs, releases, zeros, loads, stores, products_bf16, products_int8;
    long product_rows, load_rows, store_rows;
} amx_counts;

bool amx_emulator_install(void); /* false: the processor has tiles, or it is not possible */
amx_counts amx_counts_now(void);
void amx_forget_counts(void);
#endif
