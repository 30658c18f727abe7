/* witness.h - operators that watch the core from inside a run. */
#ifndef TG_WITNESS_H
#define TG_WITNESS_H
#include <tilegrad/op.h>

/* What they saw since witness_start; call i of the program is `id` i of its attributes. */
typedef struct {
    int order[4096], n;                   /* ids, as they were executed */
    int stale;                            /* inputs that did not have the version that was recorded */
    int torn;                             /* inputs whose numbers are not those that their maker wrote */
    uint64_t first_request, last_request; /* tg_system_requests() in the first and the last call */
} witness_report;
extern witness_report seen;
void witness_start(void);

/* stamp(up to three inputs) -> [n], all id: checks that each input is all its maker's id.  Same size in place. */
tg_tensor *stamp(tg_scope *s, int id, int64_t n, tg_tensor *const in[3], const int from[3]);
/* Writes `to`, reads `from` (may be NULL). */
void touch(tg_scope *s, int id, tg_tensor *to, tg_tensor *from);
/* x itself, differentiable; its gradient is a probe too. */
tg_tensor *probe(tg_scope *s, int id, tg_tensor *x);
#endif
