/* op_harness.h - runs one row of an operator's samples with one kernel, and compares results.
 *
 * A result holds the bytes of the outputs, and of the inputs that the operator writes. */
#ifndef TG_OP_HARNESS_H
#define TG_OP_HARNESS_H
#include "op_samples.h"

enum { RESULT_PARTS = TG_MAX_OUT + TG_MAX_IN, HARNESS_TEXT = 512 };

typedef struct {
    tg_dtype dtype;
    int64_t count;
    void *bytes; /* NULL: not wanted, or absent */
} result_part;

typedef struct {
    result_part part[RESULT_PARTS]; /* out[k] at k, in[k] at TG_MAX_OUT + k */
    char message[HARNESS_TEXT];     /* the reason why it could not run, or "" */
} op_result;

/* Sets of wanted outputs that are worth testing, bit k for out[k]: set i, 0 <= i < wanted_sets; set 0 is all. */
int wanted_sets(const tg_op *op);
unsigned wanted_set(const tg_op *op, int i);

/* The row with bf16 in place of f32 for as many inputs as the shape rule accepts; false, with the reason, for none. */
bool bf16_sample(const tg_op *op, const op_sample *sample, op_sample *bf16, char why[HARNESS_TEXT]);

/* Creates the inputs of a row as leaves of s, with the same values each time. */
void make_inputs(tg_scope *s, const tg_op *op, const op_sample *sample, tg_tensor *in[TG_MAX_IN]);

/* True if the kernel rejects the row, with its reason.  False with a text: the row itself is invalid. */
bool kernel_refuses(const tg_op *op, const op_sample *sample, const tg_kernel *kernel, unsigned wanted,
                    char why[HARNESS_TEXT]);

/* Runs the row with this kernel (NULL: the first that accepts it); only the given outputs are wanted. */
void run_sample(const tg_op *op, const op_sample *sample, const tg_kernel *kernel, unsigned wanted, op_result *result);
void free_result(op_result *result);
void keep_part(result_part *part, const tg_tensor *t); /* copies t's bytes, which must be available */

/* An operator that reads up to TG_MAX_OUT tensors (the rest NULL) and copies them to the parts of *spied. */
extern const tg_op spy_op;
extern op_result *spied;

/* |a - b| <= tolerance (1 + |b|), in bf16 plus one unit in the last place: sums that differ by FP32's rounding may
 * round to different sides of a midpoint.  Integers must be equal.  False, with the position in `why`. */
bool results_agree(const op_result *a, const op_result *b, double tolerance, char why[HARNESS_TEXT]);
bool results_identical(const op_result *a, const op_result *b, char why[HARNESS_TEXT]);

const tg_kernel *ref_of(const tg_op *op); /* the last kernel; NULL if there are none */

/* Checks the row's backward against differences; `why` gets the report. */
bool gradcheck_sample(tg_scope *root, const tg_op *op, const op_sample *sample, char why[256]);
#endif
