/* fuzz_safetensors_make.h - files that are safetensors, or nearly. */
#ifndef TG_FUZZ_SAFETENSORS_MAKE_H
#define TG_FUZZ_SAFETENSORS_MAKE_H
#include <stddef.h>
#include <stdint.h>

enum { MOST_CASE = 1 << 15 }; /* bytes; what goes beyond is cut off */

typedef struct {
    size_t n;
    uint8_t at[MOST_CASE];
} fuzz_file;

/* The file of a seed: a valid one, which was then changed none, one or several times, as JSON or as bytes. */
void fuzz_make_file(fuzz_file *f, uint64_t seed);
#endif
