/* onednn_cache.h - the process's cache of plans.
 *
 * Creating a plan takes milliseconds, because oneDNN generates machine code. So plans are cached by builder, shape and
 * number of threads, with LRU eviction; that oneDNN supports no such shape is cached, too. A call takes a lease in
 * prepare, and its scope's reset returns it. So from the second step on nothing is allocated, and an evicted plan lives
 * until its last lease is returned. */
#ifndef TG_ONEDNN_CACHE_H
#define TG_ONEDNN_CACHE_H
#include "onednn_plan.h"

/* Why oneDNN cannot serve this shape; NULL: it can. */
const char *tg_onednn_refusal(tg_onednn_build *build, const tg_onednn_shape *shape);
/* A lease that is returned when the scope of c is reset; NULL, with tg_fault_say: no memory. */
tg_onednn_lease *tg_onednn_lease_for(const tg_call *c, tg_onednn_build *build, const tg_onednn_shape *shape,
                                     tg_fault *fault);

/* For kernels whose c->state is a lease. */
tg_scratch tg_onednn_scratch(const tg_call *c);
void tg_onednn_run(const tg_call *c, const tg_task *task);
/* NULL if every input and output present is f32; otherwise which is not. */
const char *tg_onednn_wants_f32(const tg_call *c);
/* First fields of a kernel's struct. AVX2, because oneDNN's code below that is not worth using. */
#define TG_ONEDNN_HEAD   .name = "onednn", .backend = "onednn", .isa = TG_ISA_AVX2
#define TG_WINOGRAD_HEAD .name = "onednn_winograd", .backend = "onednn", .isa = TG_ISA_AVX512
#endif
