/* dataset_open.c - data sets by name, and by what lies in a folder, as datasets.def lists them. */
#include "dataset.h"
#include <stdio.h>
#include <string.h>

static const tg_dataset_info sets[] = {
#define TG_DATASET(name, open, holds, files) { name, open },
#include "datasets.def"
};

const tg_dataset_info *tg_datasets(int *count)
{
    if (count) *count = (int)(sizeof sets / sizeof *sets);
    return sets;
}

const tg_dataset_info *tg_find_dataset(const char *name)
{
    for (size_t i = 0; name && i < sizeof sets / sizeof *sets; i++)
        if (!strcmp(sets[i].name, name)) return &sets[i];
    return NULL;
}

static const struct {
    bool (*holds)(tg_scope *s, const char *folder); /* NULL: no folder is known to */
    const char *files;
    tg_dataset *(*open)(tg_scope *s, const char *dir, tg_split split);
} kinds[] = {
#define TG_DATASET(name, open, holds, files) { holds, files, open },
#define TG_FOLDER(open, holds, files)        { holds, files, open },
#include "datasets.def"
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* "A, B or C": the files by which folders are recognised. */
static const char *files_of_all(tg_scope *s)
{
    size_t bytes = 1, used = 0;
    int left = 0;
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].holds) left++, bytes += strlen(kinds[i].files) + strlen(" or ");
    char *const text = tg_alloc(s, bytes);
    for (int i = 0; i < KINDS && text; i++) {
        if (!kinds[i].holds) continue;
        const char *const after = --left > 1 ? ", " : left == 1 ? " or " : "";
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", kinds[i].files, after);
    }
    return text;
}

tg_dataset *tg_dataset_open(tg_scope *s, const char *dir, tg_split split)
{
    if (!tg_ok(s)) return NULL;
    if (!dir) tg_fail(s, "tg_dataset_open: dir is NULL");
    for (int i = 0; dir && i < KINDS; i++)
        if (kinds[i].holds && kinds[i].holds(s, dir)) return kinds[i].open(s, dir, split);
    const char *const files = tg_ok(s) ? files_of_all(s) : NULL;
    if (files) tg_fail(s, "%s: no data set, want a folder with %s", dir, files);
    return NULL;
}
