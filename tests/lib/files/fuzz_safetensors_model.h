/* fuzz_safetensors_model.h - the model of a header: fuzz_safetensors_make.c generates it, fuzz_safetensors_write.c
 * writes it.
 *
 * Its parts are texts, so that each can be replaced by any JSON, or removed. */
#ifndef TG_FUZZ_SAFETENSORS_MODEL_H
#define TG_FUZZ_SAFETENSORS_MODEL_H
#include "fuzz_safetensors_make.h"
#include <tilegrad/random.h>
#include <stdbool.h>

enum { MOST_TENSORS = 7, MOST_SIZES = 10, MOST_META = 5, MOST_TEXT = 640, MARKS = 3 };

typedef struct {
    char name[MOST_TEXT], value[MOST_TEXT];
} pair; /* JSON; a name is without its quotes */

typedef struct {
    char name[MOST_TEXT], whole[64]; /* whole: replaces the object unless it is "" */
    char dtype[32], size[MOST_SIZES][32], offset[3][32], extra[64];
    int rank, offsets, missing; /* missing: which field (1, 2, 3) is left out */
    uint64_t bytes;
} tensor;

typedef struct {
    uint64_t seed, drawn;
    fuzz_file *f;
    tensor tensor[MOST_TENSORS];
    pair meta[MOST_META + MARKS];
    int n, n_meta;
    bool has_meta, marked;
    char whole_meta[64], after[64]; /* replaces the metadata; follows everything */
    int64_t data;                   /* bytes after the header */
    int spaces, escapes;            /* per cent */
    size_t header_sum;              /* the offset of its digits in f; 0: none */
} maker;

static inline uint32_t draw(maker *m, uint32_t n) { return tg_random_below((tg_stream){ m->seed, 78 }, m->drawn++, n); }
static inline bool chance(maker *m, uint32_t percent) { return draw(m, 100) < percent; }

/* fuzz_safetensors_write.c */
void fuzz_write_file(maker *m); /* writes the model to m->f */
void fuzz_write_sum(maker *m);  /* corrects the header's checksum, if it has one */
void fuzz_change_bytes(maker *m);
#endif
