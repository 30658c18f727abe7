/* trace.h - what TG_VERBOSE prints to stderr.  Values combine: TG_VERBOSE=rewrite,dispatch.
 *
 *     TG_VERBOSE=1          a line for each kernel that runs: operator, kernel, ISA, dtype, shapes, ms, GFLOP/s and
 *                           module; and one for each weight that is packed
 *     TG_VERBOSE=dispatch   once for each operator and shapes: the kernel, and why better ones cannot run them
 *     TG_VERBOSE=rewrite    once for each kind of list that runs: which fused call each recorded call became part
 *                           of, or which rule came nearest and why it did not fit; which values are computed again,
 *                           which calls run as epilogues, where weights are packed; and why not otherwise
 *     TG_VERBOSE=graph      for each such list a file tilegrad-PID-N.dot in the working directory, N from 1, with the
 *                           list as recorded and as it runs, for Graphviz (dot -Tsvg -O FILE).  It never overwrites a
 *                           file.  Fused calls are blue, calls that compute a value again are yellow. */
#ifndef TG_TRACE_H
#define TG_TRACE_H
#include "op.h"

bool tg_trace_calls(void);
bool tg_trace_dispatch(void);
bool tg_trace_rewrite(void);
bool tg_trace_graph(void);
void tg_trace_call(const tg_call *c, double ms);
void tg_trace_pack(const tg_call *c, const char *layout, const tg_tensor *w, double ms);
void tg_trace_choice(const tg_call *c);

/* Operator, shapes of the inputs, module. */
enum { TG_CALL_TEXT = 512 };
const char *tg_trace_text(const tg_call *c, char text[TG_CALL_TEXT]);

/* Whether a text, by its hash, is printed for the first time.  When the table of hashes is full, every text is new. */
#define TG_TRACE_HASH 14695981039346656037u /* of no text */
uint64_t tg_trace_hash(uint64_t hash, const char *text);
bool tg_trace_is_new(uint64_t hash);
#endif
