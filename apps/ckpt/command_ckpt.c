/* command_ckpt.c - `tilegrad ckpt`: its subcommands. */
#include "ckpt.h"
#include <stddef.h>

static const command commands[] = {
    { "inspect", "tilegrad ckpt inspect", ckpt_inspect },
    { "verify", "tilegrad ckpt verify", ckpt_verify },
    { "diff", "tilegrad ckpt diff", ckpt_diff },
    { "convert", "tilegrad ckpt convert", ckpt_convert },
    { "average", "tilegrad ckpt average", ckpt_average },
    { "strip", "tilegrad ckpt strip", ckpt_strip },
    { "rename", "tilegrad ckpt rename", ckpt_rename },
    { "meta", "tilegrad ckpt meta", ckpt_meta },
    { NULL, NULL, NULL },
};

static const char about[] =
    "Works on files of tensors: safetensors (which tilegrad, PyTorch and others save), NumPy's .npz and .npy.  Input "
    "formats are detected by the first bytes; output is .npz if its name ends in .npz, otherwise safetensors.  Files "
    "may be larger than memory.  Output files appear complete or not at all, and may replace the input.\n\n"
    "Commands:\n"
    "  inspect   list tensors with dtype and shape, as a tree, and metadata\n"
    "  verify    check files for damage\n"
    "  diff      compare two files\n"
    "  convert   convert to another format or dtype\n"
    "  average   average several checkpoints' weights\n"
    "  strip     keep the model, without the optimizer\n"
    "  rename    rename tensors, by a list of rules\n"
    "  meta      read and set metadata\v"
    "Examples:\n"
    "  tilegrad ckpt inspect --stats run.safetensors\n"
    "  tilegrad ckpt diff epoch1.safetensors epoch2.safetensors\n"
    "  tilegrad ckpt convert run.safetensors run.npz --dtype f32\n"
    "  tilegrad ckpt convert --help\n\n"
    "Exit status: 0 success, 1 failed, damaged, or different, 2 wrong command line, 130 interrupted, "
    "143 terminated.";

int command_ckpt(int argc, char **argv) { return command_run(commands, about, argc, argv); }
