/* fuzz_safetensors_make.h - generates valid and nearly valid safetensors files. */
#ifndef TG_FUZZ_SAFETENSORS_MAKE_H
#define TG_FUZZ_SAFETENSORS_MAKE_H
#include <stddef.h>
#include <stdint.h>

enum { MOST_CASE = 1 << 15 }; /* bytes; longer files are truncated */

typedef struct {
    size_t n;
    uint8_t at[MOST_CASE];
} fuzz_file;

/* The file for a seed: a valid one with zero or more mutations, of the JSON or of the bytes. */
void fuzz_make_file(fuzz_file *f, uint64_t seed);
#endif
