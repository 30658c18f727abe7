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
    "Works on files of tensors: safetensors (which tilegrad, PyTorch and others save), NumPy's .npz and .npy.  What "
    "a file is its first bytes tell; what is written is .npz if its name ends so, and safetensors else.  Files may "
    "be larger than memory.  A file that is written appears whole or not at all, and may be the one that is read.\n\n"
    "Commands:\n"
    "  inspect   tensors with dtype and shape, as a tree; metadata; --stats: their numbers\n"
    "  verify    is it damaged?\n"
    "  diff      what differs between two files\n"
    "  convert   to another format, or another dtype\n"
    "  average   the mean of several checkpoints' weights\n"
    "  strip     the model alone, without the optimizer\n"
    "  rename    tensors, by a list of rules\n"
    "  meta      read and set metadata\v"
    "Examples:\n"
    "  tilegrad ckpt inspect --stats run.safetensors\n"
    "  tilegrad ckpt diff epoch1.safetensors epoch2.safetensors\n"
    "  tilegrad ckpt convert run.safetensors run.npz --dtype f32\n"
    "  tilegrad ckpt convert --help\n\n"
    "Exit status: 0 done, 1 failed, damaged, or different, 2 wrong command line, 130 interrupted, "
    "143 terminated.";

int command_ckpt(int argc, char **argv) { return command_run(commands, about, argc, argv); }
