/* ckpt_meta.c - `tilegrad ckpt meta`: reads and sets metadata. */
#include "ckpt.h"
#include "options.h"
#include "output.h"
#include <string.h>
#include <unistd.h>

static const char about[] =
    "Reads and sets the metadata of a safetensors file, pairs of keys and values.  `set` rewrites the file atomically; "
    "keys that begin with \"tilegrad.\" describe the checksums and are set by tilegrad only.\v"
    "Examples:\n"
    "  tilegrad ckpt meta list run.safetensors\n"
    "  tilegrad ckpt meta get run.safetensors optim/lr\n"
    "  tilegrad ckpt meta set run.safetensors made/by 'Ada, on Tuesday'";

typedef struct {
    const char *name, *wanted;
    int arguments;
    void (*run)(ckpt *c, tg_tensor_file *f, char **rest);
} action;

/* On a terminal control sequences are escaped; elsewhere the value is printed as is. */
static void get(ckpt *c, tg_tensor_file *f, char **rest)
{
    const char *const value = tg_tensor_file_meta(f, rest[0]);
    tg_name_text key;
    if (!value) tg_fail(c->root, "%s: no metadata '%s'", f->path, tg_printable(rest[0], &key));
    else if (isatty(output_fd(stdout))) ckpt_print_text(stdout, value);
    else output_raw(stdout, value, strlen(value));
    if (value) putchar('\n');
}

static void list(ckpt *c, tg_tensor_file *f, char **rest)
{
    (void)c, (void)rest;
    for (int i = 0; i < f->n_meta; i++) {
        ckpt_print_text(stdout, f->meta[i].key);
        fputs(" = ", stdout);
        ckpt_print_text(stdout, f->meta[i].value);
        putchar('\n');
    }
}

static void set(ckpt *c, tg_tensor_file *f, char **rest)
{
    int n, n_meta, at = 0;
    if (strcmp(f->format, "safetensors")) tg_fail(c->root, "%s: %s holds no metadata", f->path, f->format);
    if (!strncmp(rest[0], "tilegrad.", 9)) tg_fail(c->root, "'%s': set by tilegrad only", rest[0]);
    tg_file_tensor *const tensors = ckpt_select(c, f, NULL, &n);
    tg_file_meta *const meta = ckpt_select_meta(c, f, NULL, &n_meta);
    if (!tg_ok(c->root)) return;
    while (at < n_meta && strcmp(meta[at].key, rest[0])) at++;
    meta[at] = (tg_file_meta){ rest[0], rest[1] };
    n_meta = at < n_meta ? n_meta : n_meta + 1;
    const ckpt_output o = { f->path, tensors, n, n_meta, meta, ckpt_produce_copy, f };
    ckpt_write(c, &o);
}

static const action actions[] = {
    { "get", "get FILE KEY", 3, get },
    { "set", "set FILE KEY VALUE", 4, set },
    { "list", "list FILE", 2, list },
};

typedef struct {
    option_arguments words;
    const action *chosen;
} meta_options;

static error_t parse(int key, char *text, struct argp_state *state)
{
    meta_options *const o = state->input;
    (void)text;
    const error_t status = option_take_arguments(key, state, "get, set or list, and FILE", 2, 4, &o->words);
    for (size_t i = 0; key == ARGP_KEY_ARGS && i < sizeof actions / sizeof *actions; i++)
        if (!strcmp(o->words.at[0], actions[i].name)) o->chosen = &actions[i];
    if (key != ARGP_KEY_ARGS) return status;
    if (!o->chosen) argp_error(state, "unknown command '%s': want get, set or list", o->words.at[0]);
    if (o->words.n != o->chosen->arguments) argp_error(state, "%d arguments: want %s", o->words.n, o->chosen->wanted);
    return status;
}

int ckpt_meta(int argc, char **argv)
{
    static const struct argp parser = { .parser = parse,
                                        .doc = about,
                                        .args_doc = "get FILE KEY\nset FILE KEY VALUE\nlist FILE" };
    meta_options o = { .chosen = NULL };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    ckpt c = ckpt_begin(argv[0]);
    tg_tensor_file *const f = tg_tensor_file_open(c.root, o.words.at[1]);
    if (f) o.chosen->run(&c, f, o.words.at + 2);
    return ckpt_end(&c, EXIT_OK);
}
