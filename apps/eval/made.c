/* made.c - see made.h. */
#include "made.h"
#include "machine.h"
#include "output.h"
#include "printable.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    size_t offset;
} made_text;
#define TEXT(field) \
    { \
        .name = #field, .offset = offsetof(made, field) \
    }
static const made_text texts[] = {
    TEXT(model), TEXT(classes),   TEXT(input),   TEXT(class_names), TEXT(mean),    TEXT(deviation),
    TEXT(data),  TEXT(data_dir),  TEXT(set),     TEXT(dtype),       TEXT(version), TEXT(backends),
    TEXT(isa),   TEXT(processor), TEXT(threads), TEXT(date),
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const char **text_at(made *m, int i) { return (const char **)(void *)((char *)m + texts[i].offset); }

/* ---- writing ---- */

static void visit(tg_state *to, void *what)
{
    for (int i = 0; i < TEXTS; i++)
        if (*text_at(what, i)) tg_state_note(to, texts[i].name, *text_at(what, i));
}

tg_stateful made_state(made *m) { return (tg_stateful){ .prefix = "made/", .what = m, .visit = visit }; }

static const char *number(tg_scope *s, int n)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    return tg_strdup(s, text);
}

/* The array as text, in s; frees the array. */
static const char *json_text(tg_scope *s, json_t *array)
{
    char *const text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(9));
    const char *const own = text ? tg_strdup(s, text) : NULL;
    free(text);
    json_decref(array);
    return own;
}

/* Paths may be any bytes, metadata are UTF-8: other bytes are stored escaped, and such a path won't be found again. */
static const char *utf8(tg_scope *s, const char *text)
{
    uint32_t code;
    output_text printable;
    size_t step = 1;
    for (const char *at = text; at && *at && step; at += step) step = tg_utf8(at, strlen(at), &code);
    return step ? text : tg_strdup(s, output_name(text, &printable));
}

static const char *numbers(tg_scope *s, const float *value, int n)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(array, json_real((double)value[i]));
    return json_text(s, array);
}

static const char *names(tg_scope *s, const char *const *name, int n)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(array, json_string(utf8(s, name[i])));
    return json_text(s, array);
}

made made_here(tg_scope *s, const tg_model_info *model, const tg_dataset *set, const char *data, const char *data_dir,
               const char *dtype)
{
    char input[48], date[24];
    snprintf(input, sizeof input, "%dx%dx%d", set->h, set->w, set->c);
    machine_date(date);
    return (made){
        .model = model->name,
        .classes = number(s, set->classes),
        .input = tg_strdup(s, input),
        .class_names = set->class_names ? names(s, set->class_names, set->classes) : NULL,
        .mean = numbers(s, set->mean, set->c),
        .deviation = numbers(s, set->deviation, set->c),
        .data = utf8(s, data),
        .data_dir = utf8(s, data_dir),
        .set = utf8(s, set->name),
        .dtype = dtype,
        .version = "tilegrad " TG_VERSION,
        .backends = machine_backends(s, NULL),
        .isa = tg_isa_name(tg_max_isa()),
        .processor = tg_cpu_name(),
        .threads = number(s, tg_threads()),
        .date = tg_strdup(s, date),
    };
}

/* ---- reading ---- */

made made_read(tg_scope *s, const tg_tensor_file *f)
{
    made m = { 0 };
    for (int i = 0; i < TEXTS; i++) {
        char key[32];
        snprintf(key, sizeof key, "made/%s", texts[i].name);
        const char *const text = tg_tensor_file_meta(f, key);
        if (text) *text_at(&m, i) = tg_strdup(s, text);
    }
    return m;
}

int made_classes(const made *m)
{
    const long classes = m->classes ? strtol(m->classes, NULL, 10) : 0;
    return classes > 0 && classes <= 256 ? (int)classes : 0;
}

/* A JSON array of n elements, or NULL. */
static json_t *array_of(const char *text, int n)
{
    json_t *const array = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_array(array) && json_array_size(array) == (size_t)n) return array;
    json_decref(array);
    return NULL;
}

static bool read_numbers(const char *text, int n, float least, float *to)
{
    json_t *const array = array_of(text, n);
    bool good = array;
    for (int i = 0; i < n && good; i++) {
        to[i] = (float)json_number_value(json_array_get(array, (size_t)i));
        good = json_is_number(json_array_get(array, (size_t)i)) && isfinite(to[i]) && to[i] >= least;
    }
    json_decref(array);
    return good;
}

void made_normalize(tg_scope *s, const made *m, tg_dataset *set)
{
    float mean[4], deviation[4];
    if (!tg_ok(s) || (!m->mean && !m->deviation)) return;
    if (!read_numbers(m->mean, set->c, -1e6f, mean) || !read_numbers(m->deviation, set->c, 1e-6f, deviation)) {
        tg_fail(s, "made/mean, made/deviation: want %d numbers each, one per channel of %s", set->c, set->name);
        return;
    }
    memcpy(set->mean, mean, sizeof *mean * (size_t)set->c);
    memcpy(set->deviation, deviation, sizeof *deviation * (size_t)set->c);
}

const char *const *made_class_names(tg_scope *s, const made *m, int classes)
{
    json_t *const array = array_of(m->class_names, classes);
    const char **const name = array ? tg_alloc(s, sizeof *name * (size_t)classes) : NULL;
    bool all = name;
    for (int i = 0; i < classes && all; i++) {
        const char *const text = json_string_value(json_array_get(array, (size_t)i));
        tg_name_text safe;
        name[i] = text ? tg_strdup(s, tg_printable(text, &safe)) : NULL;
        all = name[i];
    }
    json_decref(array);
    return all ? name : NULL;
}

/* ---- bits ---- */

static void compare(char *text, size_t size, const char *what, const char *then, const char *now)
{
    const size_t used = strlen(text);
    tg_name_text safe;
    if (then && !strcmp(then, now)) return;
    tg_printable(then ? then : "?", &safe);
    snprintf(text + used, size - used, "%s%s %s (now %s)", used ? ", " : "", what, safe.text, now);
}

const char *made_differences(tg_scope *s, const made *then, const made *now)
{
    char text[2048] = "";
    const bool bf16 = !strcmp(now->dtype, "bf16"), libraries = machine_uses_libraries();
    compare(text, sizeof text, "version", then->version, now->version);
    compare(text, sizeof text, "instructions", then->isa, now->isa);
    compare(text, sizeof text, "backends", then->backends, machine_backends(s, then->backends));
    if (bf16 || libraries) compare(text, sizeof text, "processor", then->processor, now->processor);
    if (!bf16 && libraries) compare(text, sizeof text, "threads", then->threads, now->threads);
    return tg_strdup(s, text);
}
