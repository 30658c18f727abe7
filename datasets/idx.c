/* idx.c - the format of MNIST: a magic number 0 0 8 RANK (8: unsigned bytes), RANK sizes of 32 bits, big end first,
 * then the bytes.  A folder holds images and labels of a training and a test split, each plain or gzip. */
#include "data_file.h"
#include "dataset.h"
#include <stdio.h>
#include <string.h>

static uint32_t big_endian(const uint8_t b[4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The number of bytes that dim says; 0 and failed if that cannot be. */
static uint64_t product(tg_file *f, int rank, const int64_t dim[])
{
    uint64_t bytes = 1;
    for (int i = 0; i < rank && bytes > 0; i++) {
        if (dim[i] == 0) tg_fail(f->s, "%s: size %d of %d is 0", f->path, i + 1, rank);
        else if (bytes > INT64_MAX / (uint64_t)dim[i]) tg_fail(f->s, "%s: its sizes overflow", f->path);
        bytes = tg_ok(f->s) ? bytes * (uint64_t)dim[i] : 0;
    }
    return bytes;
}

static uint64_t read_header(tg_file *f, int rank, int64_t dim[])
{
    uint8_t head[4 + 4 * 4];
    const size_t bytes = 4 + 4 * (size_t)rank, got = tg_file_read(f, head, bytes);
    if (!tg_ok(f->s)) return 0;
    if (got < bytes) {
        tg_fail(f->s, "%s: ends after %zu bytes, wanted an IDX header of %zu", f->path, got, bytes);
        return 0;
    }
    const uint32_t magic = big_endian(head), wanted = 0x800u | (uint32_t)rank;
    if (magic != wanted) {
        tg_fail(f->s, "%s: begins with 0x%08x, wanted 0x%08x (IDX, unsigned bytes, rank %d)", f->path, magic, wanted,
                rank);
        return 0;
    }
    for (int i = 0; i < rank; i++) dim[i] = big_endian(head + 4 + 4 * i);
    return product(f, rank, dim);
}

const uint8_t *tg_idx_read(tg_scope *s, const char *path, int want_rank, int64_t dim[4])
{
    for (int i = 0; i < 4; i++) dim[i] = 0;
    if (!tg_ok(s)) return NULL;
    if (!path) tg_fail(s, "tg_idx_read: path is NULL");
    else if (want_rank < 1 || want_rank > 4) tg_fail(s, "tg_idx_read: rank %d, wanted 1 .. 4", want_rank);
    tg_file f;
    if (!tg_ok(s) || !tg_file_open(&f, s, path)) return NULL;
    const uint64_t bytes = read_header(&f, want_rank, dim);
    const uint8_t *const data = tg_ok(s) ? tg_file_take(&f, bytes) : NULL;
    if (data) tg_file_end(&f);
    tg_file_close(&f);
    return tg_ok(s) ? data : NULL;
}

/* ---- folders ---- */
static const char *const image_files[2][2] = { { "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz" },
                                               { "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz" } };
static const char *const label_files[2][2] = { { "train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz" },
                                               { "t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz" } };

/* The plain file, or else the gzip one if that is there. */
static const char *choose(const char *folder, const char *const files[2])
{
    return !tg_is_file(folder, files[0]) && tg_is_file(folder, files[1]) ? files[1] : files[0];
}

bool tg_idx_folder(const char *folder, tg_split split)
{
    return tg_is_file(folder, choose(folder, image_files[split == TG_TEST]));
}

bool tg_idx_load(tg_scope *s, const char *folder, tg_split split, tg_dataset *d)
{
    const int which = split == TG_TEST;
    const char *const images = tg_path(s, folder, choose(folder, image_files[which]));
    const char *const labels = tg_path(s, folder, choose(folder, label_files[which]));
    if (!tg_ok(s)) return false;

    int64_t size[4], many[4];
    d->images = tg_idx_read(s, images, 3, size);
    d->labels = tg_idx_read(s, labels, 1, many);
    if (!tg_ok(s)) return false;
    if (many[0] != size[0])
        tg_fail(s, "%s: %lld labels, wanted %lld, one for each image", labels, (long long)many[0], (long long)size[0]);
    else if (size[1] > TG_MAX_SIDE || size[2] > TG_MAX_SIDE)
        tg_fail(s, "%s: images of %lld x %lld pixels, wanted sides of 1 .. %d", images, (long long)size[1],
                (long long)size[2], TG_MAX_SIDE);
    d->count = size[0];
    d->h = tg_ok(s) ? (int)size[1] : 0;
    d->w = tg_ok(s) ? (int)size[2] : 0;
    d->c = 1;
    return tg_ok(s);
}

static int highest(const tg_dataset *d)
{
    int top = 0;
    for (int64_t i = 0; i < d->count; i++)
        if (d->labels[i] > top) top = d->labels[i];
    return top;
}

/* Classes, mean and deviation are those of the training images, for the test images too.  A folder without a training
 * split has no say: its own classes, and numbers that map 0 .. 1 to -1 .. 1. */
static void learn_from_training(tg_scope *s, const char *folder, tg_split split, tg_dataset *d)
{
    tg_scope *const own = tg_push(s);
    tg_dataset train = *d;
    const bool other = split == TG_TEST && tg_idx_folder(folder, TG_TRAIN);
    if (other) tg_idx_load(own, folder, TG_TRAIN, &train);
    if (tg_ok(own)) {
        if (other || split == TG_TRAIN) tg_dataset_measure(&train);
        d->classes = highest(&train) + 1;
        memcpy(d->mean, train.mean, sizeof d->mean);
        memcpy(d->deviation, train.deviation, sizeof d->deviation);
    }
    tg_pop(own);
}

tg_dataset *tg_idx_open(tg_scope *s, const char *folder, tg_split split)
{
    tg_dataset d = { .name = tg_strdup(s, folder), .mean = { 0.5f }, .deviation = { 0.5f } };
    if (!tg_idx_load(s, folder, split, &d)) return NULL;
    learn_from_training(s, folder, split, &d);
    if (!tg_ok(s)) return NULL;
    d.class_names = tg_digit_names(s, d.classes);
    return tg_ok(s) ? tg_dataset_keep(s, &d, folder) : NULL;
}
