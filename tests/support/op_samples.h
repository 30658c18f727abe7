/* op_samples.h - the table that drives all tests of operators: one row is one call.
 *
 * For each operator x of ops/ops.def (and optim/optim.def) there is an array `samples_x`, in a file
 * tests/support/samples_*.c, that ends with an empty row; an operator without one does not link.  Each row is run by
 * `ref` and by every kernel that does not reject it, and compared; if the operator is differentiable, each row is
 * gradchecked. Choose sizes around the tile edges: 1, 15, 16, 17, 31, 33. */
#ifndef TG_OP_SAMPLES_H
#define TG_OP_SAMPLES_H
#include "attr.h"
#include <tilegrad/tilegrad.h>

typedef enum { FILL_UNIFORM, FILL_CLASSES, FILL_DISTINCT } sample_fill;

typedef struct {
    int8_t given; /* 0: NULL */
    tg_dtype dtype;
    int8_t rank;
    int64_t dim[TG_MAX_RANK];
    sample_fill fill;
    double low, high; /* FILL_UNIFORM: the range (both 0: -1 .. 1); FILL_CLASSES: integers in [low, high) */
} sample_in;

typedef struct {
    const char *name; /* describes the row; NULL ends the table */
    sample_in in[TG_MAX_IN];
    const void *attr;      /* op->attr_size bytes; NULL for an operator without */
    double tolerance;      /* of kernel against ref: |a - b| <= tolerance (1 + |b|); 0: 1e-5 */
    double grad_tolerance; /* 0: 1e-2; < 0: no gradcheck (with the reason next to it) */
} op_sample;

/* edges_x, next to samples_x: the results of operator x of elementwise.def, called as there, for -infinity, -1, 0, 1,
 * infinity and NaN. */
enum { EDGES = 6 };
#define TG_UNARY(name, ...) extern const double edges_##name[EDGES];
#include "elementwise.def"

#define DIMS_(...) \
    (int8_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }
#define F(...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_UNIFORM, 0, 0 \
    } /* uniform in -1 .. 1 */
#define FR(low, high, ...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_UNIFORM, low, high \
    }
#define FD(...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_DISTINCT, 0, 0 \
    } /* no two closer than 0.05: for max, relu */
#define CLASSES(n, ...) \
    { \
        1, TG_I64, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, n \
    }
#define I32(n, ...) \
    { \
        1, TG_I32, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, n \
    }
#define NONE \
    { \
        0 \
    }
#endif
