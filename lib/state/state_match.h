/* state_match.h - compares what a load asks for with what a file has.  Private to lib. */
#ifndef TG_STATE_MATCH_H
#define TG_STATE_MATCH_H
#include "state_items.h"

/* Finds each item in the file (item->at, item->found, item->loaded).  Returns for each tensor of the file the number of
 * its item or -1, in the memory of state->s; NULL and state->s failed.
 * report NULL: all that is missing, unexpected or of another shape is told in one message.  Otherwise it is filled in,
 * in the memory of the scope above state->s, and what does not match is left alone. */
const int *tg_state_match(tg_state *state, tg_tensor_file *f, const tg_stateful *things, int n, tg_load_report *report);
#endif
