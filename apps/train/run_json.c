/* run_json.c - see run_json.h. */
#include "run_json.h"
#include "file_out.h"
#include "machine.h"
#include "output.h"
#include "run_folder.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Earlier entries are never lost. */
static bool write_file(tg_scope *s, const run_json *r)
{
    char *const text = json_dumps(r->all, JSON_INDENT(2) | JSON_REAL_PRECISION(7));
    if (text) tg_out_whole(s, r->path, text, strlen(text));
    else tg_fail_system(s, ENOMEM, "%s: no memory to write it", r->path);
    free(text);
    return tg_ok(s);
}

/* Arguments and paths may contain any bytes. */
static json_t *string_of(const char *text)
{
    output_text printable;
    json_t *const string = json_string(text);
    return string ? string : json_string(output_name(text, &printable));
}

static json_t *strings(int n, char **text)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(array, string_of(text[i]));
    return array;
}

static json_t *value_of(const train_field *f, const train_options *o)
{
    const void *const value = (const char *)o + f->offset;
    field_text text;
    switch (f->kind) {
    case FIELD_WHOLE: return json_integer(*(const int64_t *)value);
    case FIELD_SEED: return json_integer((json_int_t) * (const uint64_t *)value);
    case FIELD_REAL: return json_real((double)*(const float *)value);
    case FIELD_FLAG: return json_boolean(*(const bool *)value);
    default: return json_string(train_field_text(f, o, &text));
    }
}

static json_t *options_of(const train_options *o)
{
    json_t *const object = json_object();
    for (int i = 0; i < TRAIN_FIELDS; i++)
        json_object_set_new(object, train_fields[i].name, value_of(&train_fields[i], o));
    return object;
}

static json_t *host(void)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:b}", "processor", tg_cpu_name(), "instructions",
                     tg_isa_name(tg_max_isa()), "flags", tg_cpu_flags(), "processors", tg_processors(), "threads",
                     tg_threads(), "bound", tg_threads_bound());
}

static json_t *entry(tg_scope *s, int argc, char **argv, const train_options *o, const char *from)
{
    char date[24];
    machine_date(date);
    return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:o}", "started", date, "arguments", strings(argc, argv),
                     "options", options_of(o), "resumed_from", from ? string_of(from) : json_null(), "tilegrad",
                     TG_VERSION, "backends", machine_backends(s, NULL), "host", host());
}

/* Renames a file that isn't ours to an unused name. */
static void set_aside(tg_scope *s, const char *path, const char *trouble)
{
    const size_t size = strlen(path) + 32;
    char *const aside = tg_alloc(s, size);
    output_text name, other;
    for (int i = 1; aside; i++) {
        snprintf(aside, size, i > 1 ? "%s.damaged%d" : "%s.damaged", path, i);
        if (access(aside, F_OK) != 0 && errno == ENOENT) break;
    }
    if (aside && rename(path, aside) != 0) tg_fail_system(s, errno, "%s: cannot be renamed: %s", path, strerror(errno));
    if (tg_ok(s))
        fprintf(stderr, "tilegrad train: %s: %s; renamed to %s\n", output_name(path, &name), trouble,
                output_name(aside, &other));
}

/* The file's contents; an empty list if it is missing or had to be set aside. */
static json_t *earlier(tg_scope *s, const char *path)
{
    json_t *all = NULL;
    FILE *const from = fopen(path, "re");
    if (!from && errno != ENOENT) tg_fail_system(s, errno, "%s: cannot be opened: %s", path, strerror(errno));
    if (from && !(all = json_loadf(from, JSON_REJECT_DUPLICATES, NULL)) && ferror(from))
        tg_fail_system(s, errno, "%s: cannot be read: %s", path, strerror(errno));
    if (from) fclose(from);
    if (json_is_array(json_object_get(all, "runs"))) return all;
    if (from && tg_ok(s)) set_aside(s, path, all ? "not a list of runs" : "not JSON");
    json_decref(all);
    return tg_ok(s) ? json_pack("{s:[]}", "runs") : NULL;
}

static void forget(void *all) { json_decref(all); }

run_json run_json_begin(tg_scope *s, const char *folder, int argc, char **argv, const train_options *o,
                        const char *from)
{
    run_json r = { .path = folder && tg_ok(s) ? folder_path(s, folder, "run.json") : NULL };
    if (!r.path || !(r.all = earlier(s, r.path)) || !tg_defer(s, forget, r.all)) return r;
    if (json_array_append_new(json_object_get(r.all, "runs"), entry(s, argc, argv, o, from)) == 0) write_file(s, &r);
    else tg_fail_system(s, ENOMEM, "%s: no memory to write it", r.path);
    return r;
}

bool run_json_end(run_json *r, const char *how, int64_t step, double best)
{
    if (!r->path || !r->all) return true;
    json_t *const runs = json_object_get(r->all, "runs"), *const last = json_array_get(runs, json_array_size(runs) - 1);
    char date[24];
    machine_date(date);
    json_object_set_new(last, "ended", json_string(date));
    json_object_set_new(last, "how", json_string(how));
    json_object_set_new(last, "step", json_integer(step));
    if (best >= 0) json_object_set_new(last, "best_test_accuracy", json_real(best));
    tg_scope *const attempt = tg_open(); /* the training run's scope may have failed */
    const bool done = write_file(attempt, r);
    if (!done) fprintf(stderr, "tilegrad train: %s\n", tg_message(attempt));
    tg_close(attempt);
    return done;
}
