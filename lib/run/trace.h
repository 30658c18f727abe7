/* trace.h - what TG_VERBOSE prints, to stderr.
 *
 *     TG_VERBOSE=1          a line an executed kernel: operator, kernel, ISA, shapes, dtype, ms, GFLOP/s, module
 *                           and one for each weight that was packed
 *     TG_VERBOSE=dispatch   the first time a kernel is chosen for an operator: why the others were not */
#ifndef TG_TRACE_H
#define TG_TRACE_H
#include "op.h"

bool tg_trace_calls(void);
bool tg_trace_dispatch(void);
void tg_trace_call(const tg_call *c, double ms);
void tg_trace_pack(const tg_call *c, const char *layout, const tg_tensor *w, double ms);
void tg_trace_choice(const tg_call *c);
#endif
