/* amx_emulator.h - runs Intel AMX code on a processor that has none: traps SIGILL, decodes the tile instruction, does
 * its work.
 *
 * A test program that it is linked into has it under TG_ASSUME_AMX=1; LD_PRELOAD=libamx_emulator.so gives it to any
 * other, also on a processor with tiles, where the probe then does not ask for the permission to use them.  It is exact
 * (the manual's arithmetic: even and odd products summed apart, each rounded once, denormals flushed) and stricter than
 * silicon: a shape that the manual forbids ends the program with a message.  Compiled with AddressSanitizer it sees
 * tile loads out of bounds. */
#ifndef AMX_EMULATOR_H
#define AMX_EMULATOR_H
#include <stdbool.h>

/* What was executed since amx_forget_counts, in all threads.  Rows give cycles by the published throughput: a product
 * takes one for each row of its sum, a load one for two rows, a store one a row. */
typedef struct {
    long configs, releases, zeros, loads, stores, products_bf16, products_int8;
    long product_rows, load_rows, store_rows;
} amx_counts;

bool amx_emulator_install(void); /* false: the processor has tiles, or it is not possible */
amx_counts amx_counts_now(void);
void amx_forget_counts(void);
#endif
