/* ckpt_inspect.c - `tilegrad ckpt inspect`: lists a file's contents. */
#include "ckpt_contents.h"
#include "options.h"

enum { STATS = 's', JSON = 'j' };

typedef struct {
    option_arguments files;
    bool stats, json;
} inspect_options;

static const struct argp_option table[] = {
    { "stats", STATS, NULL, 0, "minimum, maximum and mean of the finite elements, numbers of NaN and infinities", 0 },
    { "json", JSON, NULL, 0, "print JSON", 0 },
    { 0 },
};

static const char about[] =
    "Lists the tensors of FILE with dtype, shape and size, as a tree by the dots in their names: the model first, then "
    "other sections (optim/...), and the metadata.\v"
    "Examples:\n"
    "  tilegrad ckpt inspect lenet.safetensors\n"
    "  tilegrad ckpt inspect --stats weights.npz\n"
    "  tilegrad ckpt inspect --json run.safetensors | jq '.tensors[].name'";

static error_t parse(int key, char *text, struct argp_state *state)
{
    inspect_options *const o = state->input;
    (void)text;
    switch (key) {
    case STATS: o->stats = true; return 0;
    case JSON: o->json = true; return 0;
    default: return option_take_arguments(key, state, "FILE", 1, 1, &o->files);
    }
}

int ckpt_inspect(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "FILE", about, NULL, NULL, NULL };
    inspect_options o = { .stats = false };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    ckpt c = ckpt_begin(argv[0]);
    const contents all = contents_read(&c, tg_tensor_file_open(c.root, o.files.at[0]), o.stats);
    status_clear(&c.line);
    if (all.file && o.json) contents_print_json(&c, &all, stdout);
    else if (all.file) contents_print(&all, stdout);
    return ckpt_end(&c, EXIT_OK);
}
