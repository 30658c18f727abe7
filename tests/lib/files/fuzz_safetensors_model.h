/* fuzz_safetensors_model.h - the model of a header: fuzz_safetensors_make.c makes it, fuzz_safetensors_write.c writes
 * it.
 *
 * It is made of texts, so that any of its parts can be replaced by any JSON, or by none. */
#ifndef TG_FUZZ_SAFETENSORS_MODEL_H
#define TG_FUZZ_SAFETENSORS_MODEL_H
#include "fuzz_safetensors_make.h"
#include <tilegrad/random.h>
#include <stdbool.h>

enum { MOST_TENSORS = 7, MOST_SIZES = 10, MOST_META = 5, MOST_TEXT = 640, MARKS = 3 };

typedef struct {
    char name[MOST_TEXT], value[MOST_TEXT];
} pair; /* JSON: a name is what stands between quotes */

typedef struct {
    char name[MOST_TEXT], whole[64]; /* whole: in place of the object, if it is not "" */
    char dtype[32], size[MOST_SIZES][32], offset[3][32], extra[64];
    int rank, offsets, missing; /* missing: 1, 2, 3: this field */
    uint64_t bytes;
} tensor;

typedef struct {
    uint64_t seed, drawn;
    fuzz_file *f;
    tensor tensor[MOST_TENSORS];
    pair meta[MOST_META + MARKS];
    int n, n_meta;
    bool has_meta, marked;
    char whole_meta[64], after[64]; /* in place of the metadata; after everything */
    int64_t data;                   /* bytes behind the header */
    int spaces, escapes;            /* per cent */
    size_t header_sum;              /* where its digits stand in f; 0: nowhere */
} maker;

static inline uint32_t draw(maker *m, uint32_t n) { return tg_random_below((tg_stream){ m->seed, 78 }, m->drawn++, n); }
static inline bool chance(maker *m, uint32_t percent) { return draw(m, 100) < percent; }

/* fuzz_safetensors_write.c */
void fuzz_write_file(maker *m); /* the model, as m->f */
void fuzz_write_sum(maker *m);  /* puts the checksum of the header right, if it has one */
void fuzz_change_bytes(maker *m);
#endif
