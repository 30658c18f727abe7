/* state_match.h - matches the items of a load with the contents of a file.  Private to lib. */
#ifndef TG_STATE_MATCH_H
#define TG_STATE_MATCH_H
#include "state_items.h"

/* Finds each item in the file (item->at, item->found, item->loaded).  Returns, for each tensor of the file, the index
 * of its item or -1, in memory of state->s; NULL: state->s has failed. report NULL: everything missing, unexpected or
 * of another shape is reported in one message.  Otherwise the report is filled in, in memory of the parent of state->s,
 * and whatever does not match is left unchanged. */
const int *tg_state_match(tg_state *state, tg_tensor_file *f, const tg_stateful *things, int n, tg_load_report *report);
#endif
