/* dataset.c - creates, checks and opens data sets.  See datasets.h. */
#include "data_file.h"
#include "dataset.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool tg_is_file(const char *folder, const char *name)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0;
}

const char *tg_path(tg_scope *s, const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *const path = tg_alloc(s, bytes);
    if (path) snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

const char *const *tg_digit_names(tg_scope *s, int classes)
{
    enum { ROOM = 12 };
    char **const names = tg_alloc(s, (size_t)classes * (sizeof *names + ROOM));
    if (!names) return NULL;
    char *text = (char *)(names + classes);
    for (int k = 0; k < classes; k++, text += ROOM) {
        snprintf(text, ROOM, "%d", k);
        names[k] = text;
    }
    return (const char *const *)names;
}

/* From a histogram: its sums are exact, so the result does not depend on the order of the images. */
void tg_dataset_measure(tg_dataset *d)
{
    uint64_t seen[4][256] = { { 0 } };
    const int64_t pixels = d->count * d->h * d->w;
    for (int64_t i = 0; i < pixels; i++)
        for (int k = 0; k < d->c; k++) seen[k][d->images[i * d->c + k]]++;

    for (int k = 0; k < d->c; k++) {
        double sum = 0, squares = 0;
        for (int v = 0; v < 256; v++) {
            sum += (double)seen[k][v] * v;
            squares += (double)seen[k][v] * v * v;
        }
        const double mean = sum / (double)pixels, variance = squares / (double)pixels - mean * mean;
        d->mean[k] = (float)(mean / 255);
        d->deviation[k] = variance > 1e-6 ? (float)(sqrt(variance) / 255) : 1; /* constant: only shifted */
    }
}

bool tg_dataset_sound(tg_scope *s, const tg_dataset *d, const char *where)
{
    if (d->count < 1 || d->count > UINT32_MAX)
        tg_fail(s, "%s: %lld images, want 1 to %lld", where, (long long)d->count, (long long)UINT32_MAX);
    else if (d->h < 1 || d->w < 1 || d->h > TG_MAX_SIDE || d->w > TG_MAX_SIDE)
        tg_fail(s, "%s: images of %d x %d pixels, want sides of 1 to %d", where, d->h, d->w, TG_MAX_SIDE);
    else if (d->c < 1 || d->c > 4) tg_fail(s, "%s: images of %d channels, want 1 to 4", where, d->c);
    else if (d->classes < 1 || d->classes > 256) tg_fail(s, "%s: %d classes, want 1 to 256", where, d->classes);
    else if (!d->images || !d->labels) tg_fail(s, "%s: %s is NULL", where, d->images ? "labels" : "images");
    return tg_ok(s);
}

static bool labels_sound(tg_scope *s, const tg_dataset *d, const char *where)
{
    for (int64_t i = 0; i < d->count && tg_ok(s); i++)
        if (d->labels[i] >= d->classes)
            tg_fail(s, "%s: label %d of image %lld, want 0 to %d", where, d->labels[i], (long long)i, d->classes - 1);
    return tg_ok(s);
}

static tg_dataset *copy_of(tg_scope *s, const tg_dataset *d)
{
    tg_dataset *const kept = tg_alloc(s, sizeof *kept);
    if (!kept) return NULL;
    *kept = *d;
    kept->scope = s;
    return kept;
}

tg_dataset *tg_dataset_keep(tg_scope *s, const tg_dataset *d, const char *where)
{
    return tg_ok(s) && tg_dataset_sound(s, d, where) && labels_sound(s, d, where) ? copy_of(s, d) : NULL;
}

static const uint8_t *copy_bytes(tg_scope *s, const uint8_t *from, size_t bytes)
{
    void *const to = tg_file_memory(s, "tg_dataset_from", bytes);
    return to ? memcpy(to, from, bytes) : NULL;
}

tg_dataset *tg_dataset_from(tg_scope *s, int64_t count, int h, int w, int c, int classes, const uint8_t *images,
                            const uint8_t *labels)
{
    tg_dataset d = {
        .name = "memory",
        .count = count,
        .h = h,
        .w = w,
        .c = c,
        .classes = classes,
        .images = images,
        .labels = labels,
    };
    tg_dataset *const kept = tg_dataset_keep(s, &d, "tg_dataset_from");
    if (!kept) return NULL;
    tg_dataset_measure(kept);
    kept->images = copy_bytes(s, images, (size_t)count * (size_t)h * (size_t)w * (size_t)c);
    kept->labels = copy_bytes(s, labels, (size_t)count);
    kept->class_names = tg_digit_names(s, classes);
    return tg_ok(s) ? kept : NULL;
}
