/* explain.h - TG_VERBOSE=rewrite and TG_VERBOSE=graph: how a run's list of calls came about.  Private to lib/run.
 *
 * A run takes notes only if one of them is set: everywhere else l->notes is NULL, which is all that they cost.  Notes
 * lie in the run's arena; without memory for them the run goes on and some are missing. */
#ifndef TG_EXPLAIN_H
#define TG_EXPLAIN_H
#include "chain.h"

void tg_explain_begin(tg_list *l); /* sets l->notes; l holds the calls as recorded */
void tg_explain_end(tg_list *l);   /* prints what no list before it said */

/* With l->notes only. */
void tg_explain_chain(tg_list *l, const tg_chain *c, tg_outcome outcome, const tg_call *fused);
void tg_explain_rewrite(tg_list *l); /* a line for each recorded call */
void tg_explain_peak(tg_list *l, int64_t held, int64_t least);
void tg_explain_recompute(tg_list *l, const tg_call *c, const char *why, const tg_call *before);
void tg_explain_epilogue(tg_list *l, const tg_call *c, const char *why); /* NULL: its only reader is its epilogue */
void tg_explain_packing(tg_list *l, const tg_call *c);

/* ---- between explain.c, explain_rewrite.c, explain_graph.c and notes.c ---- */

typedef struct tg_line {
    struct tg_line *next;
    char text[];
} tg_line;

typedef struct {
    tg_line *first, *last;
} tg_text;

typedef struct {                 /* of a call of the list */
    const tg_call *call, *fused; /* the fused call that it became part of, or NULL */
    int missing, matched;        /* links of the rule that came nearest */
    const char *nearest;         /* "not conv2d_relu: .."; NULL: no rule fits even in part */
    const char *recompute;
} tg_fate;

typedef struct tg_notes {
    tg_fate *fates; /* the recorded calls' in order, then fused calls' */
    int n, recorded, capacity;
    tg_text text, graph;
} tg_notes;

enum { TG_NOTE_BYTES = 1024 };
tg_fate *tg_fate_of(tg_list *l, const tg_call *c);                              /* NULL: no room */
const char *tg_note_keep(tg_list *l, const char *text);                         /* a copy; NULL: out of memory */
void tg_note(tg_list *l, tg_text *to, const char *format, ...) TG_PRINTF(3, 4); /* a line of at most TG_NOTE_BYTES */
void tg_misfit(const tg_list *l, const tg_chain *c, tg_outcome outcome, char text[TG_NOTE_BYTES]);
void tg_graph_begin(tg_list *l); /* the list as recorded */
void tg_graph_end(tg_list *l);   /* as it will run */
#endif
