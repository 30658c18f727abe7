/* train_data.c - finds the images to train on, and checks that the model takes them. */
#include "train_data.h"
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path)
{
    struct stat what;
    return stat(path, &what) == 0 && S_ISDIR(what.st_mode);
}

static tg_dataset *open_set(tg_scope *root, const train_options *o, tg_split split)
{
    const bool        grey = o->model->input[2] == 1;
    const char *const set  = o->data ? o->data : grey ? "fashion-mnist" : "cifar10";
    if (!strcmp(set, "sample"))        return tg_fashion_mnist_sample(root, o->data_dir, split);
    if (!strcmp(set, "fashion-mnist")) return tg_fashion_mnist(root, o->data_dir, split);
    if (!strcmp(set, "cifar10"))       return tg_cifar10(root, o->data_dir, split);
    if (is_folder(set))                return tg_dataset_open(root, set, split);
    tg_fail(root, "--data '%s': not sample, fashion-mnist or cifar10, and no such folder", set);
    return NULL;
}

/* Grey networks end in a layer that counts every pixel; the ResNets average over the image, so its size is free. */
static void check_fit(tg_scope *root, const tg_model_info *model, const tg_dataset *data)
{
    const int64_t *const want = model->input;
    const bool any_size = want[2] == 3;
    if (data->c == want[2] && (any_size || (data->h == want[0] && data->w == want[1]))) return;
    if (any_size) tg_fail(root, "%s: wants images with 3 channels, %s has %d", model->name, data->name, data->c);
    else tg_fail(root, "%s: wants images of %dx%dx%d, those of %s are %dx%dx%d", model->name, (int)want[0],
                 (int)want[1], (int)want[2], data->name, data->h, data->w, data->c);
}

tg_dataset *train_data(tg_scope *root, const train_options *o, tg_split split)
{
    tg_dataset *const data = open_set(root, o, split);
    if (data) check_fit(root, o->model, data);
    return tg_ok(root) ? data : NULL;
}
