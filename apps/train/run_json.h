/* run_json.h - run.json: how a training run was invoked, with an entry for each start. */
#ifndef TG_APPS_RUN_JSON_H
#define TG_APPS_RUN_JSON_H
#include "train_options.h"

typedef struct {
    const char *path;   /* NULL: don't write */
    struct json_t *all; /* the file's contents */
} run_json;

/* Adds an entry: arguments, options, the file it resumes from (or NULL), versions, processor, date.  A file that isn't
 * JSON, or not a list of runs, is renamed to run.json.damaged, which stderr reports.  Fails s if the file can't be read
 * or written. */
run_json run_json_begin(tg_scope *s, const char *folder, int argc, char **argv, const train_options *o,
                        const char *from);
/* Completes the entry: "done", "stopped" or "failed", and the last step.  False if it can't be written. */
bool run_json_end(run_json *r, const char *how, int64_t step, double best);
#endif
