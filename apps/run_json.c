/* run_json.c - see run_json.h. */
#include "run_json.h"
#include "machine.h"
#include "run_folder.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* Written beside it and renamed: an earlier run's entries are never lost. */
static bool write_file(const run_json *r)
{
    char part[4096];
    if (snprintf(part, sizeof part, "%s.part", r->path) >= (int)sizeof part) return errno = ENAMETOOLONG, false;
    const size_t style = JSON_INDENT(2) | JSON_REAL_PRECISION(7);
    errno = 0;
    if (json_dump_file(r->all, part, style) == 0 && rename(part, r->path) == 0) return true;
    const int why = errno;
    unlink(part);
    errno = why;
    return false;
}

static json_t *strings(int n, char **text)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) {
        json_t *const string = json_string(text[i]);
        json_array_append_new(array, string ? string : json_string("(no UTF-8)"));
    }
    return array;
}

static json_t *value_of(const train_field *f, const train_options *o)
{
    const void *const value = (const char *)o + f->offset;
    field_text text;
    switch (f->kind) {
    case FIELD_WHOLE: return json_integer(*(const int64_t *)value);
    case FIELD_SEED:  return json_integer((json_int_t)*(const uint64_t *)value);
    case FIELD_REAL:  return json_real((double)*(const float *)value);
    case FIELD_FLAG:  return json_boolean(*(const bool *)value);
    default:          return json_string(train_field_text(f, o, &text));
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
    return json_pack("{s:s, s:o, s:o, s:s?, s:s, s:s, s:o}", "started", date, "arguments", strings(argc, argv),
                     "options", options_of(o), "resumed_from", from, "tilegrad", TG_VERSION, "backends",
                     machine_backends(s), "host", host());
}

static json_t *earlier(const char *path)
{
    json_t *const all = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_array(json_object_get(all, "runs"))) return all;
    json_decref(all);
    return json_pack("{s:[]}", "runs");
}

static void forget(void *all) { json_decref(all); }

run_json run_json_begin(tg_scope *s, const char *folder, int argc, char **argv, const train_options *o,
                        const char *from)
{
    run_json r = { .path = folder && tg_ok(s) ? folder_path(s, folder, "run.json") : NULL };
    if (!r.path) return r;
    r.all = earlier(r.path);
    if (!tg_defer(s, forget, r.all)) return r;
    json_array_append_new(json_object_get(r.all, "runs"), entry(s, argc, argv, o, from));
    if (!write_file(&r)) tg_fail(s, "%s: cannot be written: %s", r.path, strerror(errno));
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
    if (write_file(r)) return true;
    fprintf(stderr, "tilegrad train: %s: cannot be written: %s\n", r->path, strerror(errno));
    return false;
}
