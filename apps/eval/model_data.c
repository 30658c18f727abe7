/* model_data.c - see model_data.h. */
#include "model_data.h"
#include "names.h"
#include <stdlib.h>
#include <sys/stat.h>

bool data_is_named(const char *set) { return tg_find_dataset(set); }

const char *data_for(const tg_model_info *model) { return model->input[2] == 1 ? "fashion-mnist" : "cifar10"; }

static bool is_folder(const char *path)
{
    struct stat what;
    return stat(path, &what) == 0 && S_ISDIR(what.st_mode);
}

static tg_dataset *open_set(tg_scope *s, const char *set, const char *dir, tg_split split)
{
    if (data_is_named(set)) return tg_find_dataset(set)->open(s, dir, split);
    if (is_folder(set)) return tg_dataset_open(s, set, split);
    char *const names = names_text(names_datasets, " or ");
    tg_fail(s, "--data '%s': not %s, and no such folder", set, names ? names : "a set's name");
    free(names);
    return NULL;
}

/* The grey networks flatten the image, so its size is fixed; the ResNets average over it and accept any size. */
static void check_fit(tg_scope *s, const tg_model_info *model, const tg_dataset *data)
{
    const int64_t *const want = model->input;
    const bool any_size = want[2] == 3;
    if (data->c == want[2] && (any_size || (data->h == want[0] && data->w == want[1]))) return;
    if (any_size) tg_fail(s, "%s: %s has %d channels, want 3", model->name, data->name, data->c);
    else
        tg_fail(s, "%s: %s has images of %dx%dx%d, want %dx%dx%d", model->name, data->name, data->h, data->w, data->c,
                (int)want[0], (int)want[1], (int)want[2]);
}

tg_dataset *data_open(tg_scope *s, const tg_model_info *model, const char *set, const char *dir, tg_split split)
{
    tg_dataset *const data = tg_ok(s) ? open_set(s, set, dir, split) : NULL;
    if (data) check_fit(s, model, data);
    return tg_ok(s) ? data : NULL;
}
