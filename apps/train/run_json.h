/* run_json.h - run.json: how a training was run, an entry each time it was started. */
#ifndef TG_APPS_RUN_JSON_H
#define TG_APPS_RUN_JSON_H
#include "train_options.h"

typedef struct {
    const char *path;   /* NULL: nothing is written */
    struct json_t *all; /* what the file holds */
} run_json;

/* Nothing but a file of runs is added to: what is no JSON, or another, is renamed to run.json.damaged, and stderr says
 * so. Adds an entry: arguments, options, the file it goes on from (or NULL), versions, processor, the date. Fails s if
 * the file cannot be read or written. */
run_json run_json_begin(tg_scope *s, const char *folder, int argc, char **argv, const train_options *o,
                        const char *from);
/* The entry's end: "done", "stopped", "failed", and how far it came.  False if it cannot be written. */
bool run_json_end(run_json *r, const char *how, int64_t step, double best);
#endif
