/* ckpt_strip.c - `tilegrad ckpt strip`: keeps the model only. */
#include "ckpt.h"
#include "options.h"

static const char about[] =
    "Writes the model's tensors of IN to OUT: those without '/' in their names, and so without optimizer states and "
    "the like.  Metadata without '/' are kept, and made/..., which describe how the model was trained.\v"
    "Examples:\n"
    "  tilegrad ckpt strip run.safetensors model.safetensors\n"
    "  tilegrad ckpt strip run.safetensors run.safetensors";

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    return option_take_arguments(key, state, "IN and OUT", 2, 2, state->input);
}

static void strip(ckpt *c, tg_tensor_file *in, const char *path)
{
    int n, n_meta;
    tg_file_tensor *const tensors = ckpt_select(c, in, ckpt_of_model, &n);
    const tg_file_meta *const meta = ckpt_select_meta(c, in, ckpt_meta_of_model, &n_meta);
    const ckpt_output o = { path, tensors, n, n_meta, meta, ckpt_produce_copy, in };
    if (tensors && n == 0) tg_fail(c->root, "%s: holds no model: all names contain a '/'", in->path);
    if (!tg_ok(c->root) || !ckpt_write(c, &o)) return;
    status_clear(&c->line);
    ckpt_text many;
    printf("%s kept, %d left out\n", ckpt_tensors(n, &many), in->n - n);
}

int ckpt_strip(int argc, char **argv)
{
    static const struct argp parser = { NULL, parse, "IN OUT", about, NULL, NULL, NULL };
    option_arguments files = { NULL, 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &files);
    ckpt c = ckpt_begin(argv[0]);
    tg_tensor_file *const in = tg_tensor_file_open(c.root, files.at[0]);
    if (in) strip(&c, in, files.at[1]);
    return ckpt_end(&c, EXIT_OK);
}
