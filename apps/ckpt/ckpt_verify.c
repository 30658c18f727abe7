/* ckpt_verify.c - `tilegrad ckpt verify`: checks files for damage. */
#include "ckpt.h"
#include "options.h"
#include "output.h"
#include <limits.h>
#include <string.h>

static const char about[] =
    "Reads each FILE and reports whether it is damaged: its structure (names, shapes, offsets, sizes), and its "
    "checksums if it has any: tilegrad's (XXH3) in safetensors files that tilegrad wrote, CRC-32 in .npz.  Other "
    "safetensors files and .npy have none: changed elements can't be detected there.\v"
    "Examples:\n"
    "  tilegrad ckpt verify run.safetensors\n"
    "  tilegrad ckpt verify runs/*.safetensors && echo all good\n\n"
    "Exit status: 0 all are good, 1 one is damaged or cannot be read.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    return option_take_arguments(key, state, "FILE...", 1, INT_MAX, state->input);
}

static void print_intact(const tg_tensor_file *f, uint64_t bytes)
{
    output_text path;
    ckpt_text tensors, size;
    const char *const checked = f->marked                   ? "structure and checksums (XXH3)"
                                : !strcmp(f->format, "npz") ? "structure and checksums (CRC-32)"
                                                            : "structure; it has no checksums of its numbers";
    printf("%s: good: %s, %s, %s; checked: %s\n", output_name(f->path, &path), f->format, ckpt_tensors(f->n, &tensors),
           ckpt_size(bytes, &size), checked);
}

/* Reports and clears the error of s. */
static void report_damage(const ckpt *c, tg_scope *s, int *damaged)
{
    status_clear(&c->line);
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", c->name, tg_message(s));
    tg_clear(s);
    ++*damaged;
}

static bool verify(ckpt *c, const char *path)
{
    tg_scope *const s = tg_push(c->root);
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    int damaged = 0;
    uint64_t bytes = 0;
    output_text name;
    if (!f) report_damage(c, s, &damaged);
    for (int i = 0; f && i < f->n; i++) c->total += f->tensor[i].bytes;
    for (int i = 0; f && i < f->n && tg_ok(c->root); i++) {
        if (!tg_tensor_file_verify(s, f, i)) report_damage(c, s, &damaged);
        bytes += f->tensor[i].bytes;
        ckpt_step(c, f->tensor[i].bytes);
    }
    status_clear(&c->line);
    if (!damaged && tg_ok(c->root)) print_intact(f, bytes);
    if (damaged && f) printf("%s: damaged: %d of %d tensors\n", output_name(path, &name), damaged, f->n);
    tg_pop(s);
    return !damaged;
}

int ckpt_verify(int argc, char **argv)
{
    static const struct argp parser = { NULL, parse, "FILE...", about, NULL, NULL, NULL };
    option_arguments files = { NULL, 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &files);
    ckpt c = ckpt_begin(argv[0]);
    int damaged = 0;
    for (int i = 0; i < files.n && tg_ok(c.root); i++) damaged += !verify(&c, files.at[i]);
    return ckpt_end(&c, damaged ? EXIT_FAILED : EXIT_OK);
}
