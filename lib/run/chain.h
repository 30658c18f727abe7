/* chain.h - a rule's chain, as far as rewrite.c found it in the list.  Private to lib/run. */
#ifndef TG_CHAIN_H
#define TG_CHAIN_H
#include "steps.h"

enum { TG_WINDOW = 32 }; /* two links of a chain are fewer calls apart */

typedef struct {
    const tg_rule *rule;
    int length;                        /* links found */
    int at[TG_MAX_CHAIN];              /* their places in the list */
    int slot[TG_MAX_CHAIN];            /* the input that reads the link before */
    const tg_call *call[TG_MAX_CHAIN]; /* the links */
    const tg_call *blocker;            /* of TG_BLOCKED: it must come after one link and before a later one */
} tg_chain;

typedef enum {
    TG_FUSED,
    TG_NO_LINK, /* nothing continues the chain */
    TG_WANTED,  /* an output that the fused call lacks is read elsewhere */
    TG_UNFIT,   /* rule->fits says no */
    TG_BLOCKED,
} tg_outcome;

static inline int tg_rule_length(const tg_rule *r)
{
    int n = 0;
    while (r->chain[n]) n++;
    return n;
}

/* Of the rule's outputs, the one that is out[out] of link `link`; -1: none. */
static inline int tg_emitted_as(const tg_rule *r, int link, int out)
{
    for (int k = 0; k < r->n_emit; k++)
        if (r->emit[k].link == link && r->emit[k].out == out) return k;
    return -1;
}

/* Readers of t, out[k] of link j, outside the chain. */
static inline int tg_other_readers(const tg_chain *c, int j, int k, const tg_storage *t)
{
    return t->value->readers - (k == 0 && j + 1 < c->length);
}
#endif
