/* bench_ops.h - `tilegrad bench --ops`: each operator separately, forward and backward, on typical shapes. */
#ifndef TG_APPS_BENCH_OPS_H
#define TG_APPS_BENCH_OPS_H
#include <tilegrad/tilegrad.h>

enum { BENCH_INPUTS = 4, BENCH_RANK = 4 };
enum { BENCH_MAX_STEPS = 100 }; /* of `rounds`, here and in bench_layers.h */
typedef struct {
    int rank;
    int64_t dim[BENCH_RANK];
} bench_shape; /* rank 0: no input */

typedef struct {
    const char *name;
    tg_tensor *(*formula)(tg_scope *s, tg_tensor *const in[]); /* `in`: tensors of these shapes, then the classes */
    bench_shape in[BENCH_INPUTS]; /* in the benchmark's dtype; rank 1: f32, like parameters of norms */
    int classes;                  /* if not 0, one more input: a class for each row of the first */
} bench_op;
extern const bench_op bench_op_rows[]; /* ends with an empty row */

/* Prints the table in f32 or bf16, of the rows whose names begin with `only` ("" for all).  Errors fail root.  A line
 * is: operator shape dtype pass ms ns-an-element GB/s kernels. */
void bench_ops(tg_scope *root, const char *only, bool bf16, int rounds);
#endif
