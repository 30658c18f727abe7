/* witness.h - operators that check the core from inside a run. */
#ifndef TG_WITNESS_H
#define TG_WITNESS_H
#include <tilegrad/op.h>

/* Their observations since witness_start; `id` in the attributes is the number of the call. */
typedef struct {
    int order[4096], n;                   /* ids, in order of execution */
    int stale;                            /* inputs whose version was not the recorded one */
    int torn;                             /* inputs whose values are not those that their producer wrote */
    uint64_t first_request, last_request; /* tg_system_requests() in the first and the last call */
} witness_report;
extern witness_report seen;
void witness_start(void);

/* stamp(up to three inputs) -> [n], filled with id; checks that each input is filled with its producer's id.  Runs in
 * place if sizes match. */
tg_tensor *stamp(tg_scope *s, int id, int64_t n, tg_tensor *const in[3], const int from[3]);
/* Writes `to`, reads `from` (may be NULL). */
void touch(tg_scope *s, int id, tg_tensor *to, tg_tensor *from);
/* x itself, differentiable; its gradient is a probe, too. */
tg_tensor *probe(tg_scope *s, int id, tg_tensor *x);
#endif
