/* onednn_cache.h - the plans of this process.
 *
 * Making a plan takes milliseconds, for oneDNN generates machine code, so plans are kept: found by builder, shape and
 * number of threads; bounded, the longest unused leaving first.  That oneDNN has nothing for a shape is remembered too.
 * A call takes a lease when it is prepared and its scope's reset gives it back, so from the second step on nothing is
 * allocated, and a plan that leaves the cache lives until its last lease is back. */
#ifndef TG_ONEDNN_CACHE_H
#define TG_ONEDNN_CACHE_H
#include "onednn_plan.h"

/* Why oneDNN cannot serve this shape; NULL: it can. */
const char *tg_onednn_refusal(tg_onednn_build *build, const tg_onednn_shape *shape);
/* A lease that goes back when the scope of c is reset; NULL, with tg_fault_say: no memory. */
tg_onednn_lease *tg_onednn_lease_for(const tg_call *c, tg_onednn_build *build, const tg_onednn_shape *shape,
                                     tg_fault *fault);

/* What kernels have in common whose c->state is a lease. */
tg_scratch tg_onednn_scratch(const tg_call *c);
void tg_onednn_run(const tg_call *c, const tg_task *task);
/* NULL if every input and output that is there is f32; else which is not. */
const char *tg_onednn_wants_f32(const tg_call *c);
/* A struct's first fields; AVX2, for what oneDNN has below that is not worth having. */
#define TG_ONEDNN_HEAD   .name = "onednn", .backend = "onednn", .isa = TG_ISA_AVX2
#define TG_WINOGRAD_HEAD .name = "onednn_winograd", .backend = "onednn", .isa = TG_ISA_AVX512
#endif
