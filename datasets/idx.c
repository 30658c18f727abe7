/* idx.c - MNIST's format: a magic number 0 0 TYPE RANK (type 8: unsigned bytes), RANK big-endian sizes of 32 bits, then
 * the elements.  A folder holds images and labels of a training and a test split, each file plain or gzip. */
#include "data_file.h"
#include "dataset.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t big_endian(const uint8_t b[4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* ---- element types, big-endian ---- */

static double get_u8(const uint8_t *at) { return *at; }
static double get_i8(const uint8_t *at) { return (int8_t)*at; }
static double get_i16(const uint8_t *at) { return (int16_t)(at[0] << 8 | at[1]); }
static double get_i32(const uint8_t *at) { return (int32_t)big_endian(at); }

static double get_f32(const uint8_t *at)
{
    const uint32_t bits = big_endian(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double get_f64(const uint8_t *at)
{
    const uint64_t bits = (uint64_t)big_endian(at) << 32 | big_endian(at + 4);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

typedef struct {
    const char *name; /* also ends a file's name: "idx3-ubyte" */
    int code;
    size_t size;
    double (*get)(const uint8_t *at);
} element;

static const element elements[] = {
    { "ubyte", 0x08, 1, get_u8 }, { "byte", 0x09, 1, get_i8 },   { "short", 0x0b, 2, get_i16 },
    { "int", 0x0c, 4, get_i32 },  { "float", 0x0d, 4, get_f32 }, { "double", 0x0e, 8, get_f64 },
};
enum { ELEMENTS = sizeof elements / sizeof *elements };

/* In place: no element is smaller than the byte that it becomes. */
static void to_bytes(tg_file *f, const element *type, uint8_t *data, uint64_t n)
{
    for (uint64_t i = 0; type->get != get_u8 && i < n; i++) {
        const double value = type->get(data + i * type->size);
        if (!(value >= 0 && value <= 255 && value == floor(value))) {
            tg_fail(f->s, "%s: element %llu is %.9g, want integers, 0 to 255", f->path, (unsigned long long)i, value);
            return;
        }
        data[i] = (uint8_t)value;
    }
}

/* ---- a file ---- */

/* The number of elements; 0: it is not possible, and the scope has failed. */
static uint64_t product(tg_file *f, int rank, const int64_t dim[])
{
    uint64_t count = 1;
    for (int i = 0; i < rank && count > 0; i++) {
        if (dim[i] == 0) tg_fail(f->s, "%s: size %d of %d is 0", f->path, i + 1, rank);
        else if (count > INT64_MAX / sizeof(double) / (uint64_t)dim[i])
            tg_fail(f->s, "%s: its sizes overflow", f->path);
        count = tg_ok(f->s) ? count * (uint64_t)dim[i] : 0;
    }
    return count;
}

static const element *find_element(uint32_t magic, int rank)
{
    for (int i = 0; i < ELEMENTS; i++)
        if (magic == ((uint32_t)elements[i].code << 8 | (uint32_t)rank)) return &elements[i];
    return NULL;
}

/* Reads the header.  Returns the number of elements and sets their type; 0: not valid, and the scope has failed. */
static uint64_t read_header(tg_file *f, int rank, int64_t dim[], const element **type)
{
    uint8_t head[4 + 4 * 4];
    const size_t bytes = 4 + 4 * (size_t)rank, got = tg_file_read(f, head, bytes);
    if (!tg_ok(f->s)) return 0;
    if (got < bytes) {
        tg_fail(f->s, "%s: ends after %zu bytes, want an IDX header of %zu", f->path, got, bytes);
        return 0;
    }
    *type = find_element(big_endian(head), rank);
    if (!*type) {
        tg_fail(f->s, "%s: begins with 0x%08x, want 0x%08x (IDX of rank %d; 08 for unsigned bytes, or another type)",
                f->path, big_endian(head), 0x800u | (uint32_t)rank, rank);
        return 0;
    }
    for (int i = 0; i < rank; i++) dim[i] = big_endian(head + 4 + 4 * i);
    return product(f, rank, dim);
}

const uint8_t *tg_idx_read(tg_scope *s, const char *path, int want_rank, int64_t dim[4])
{
    for (int i = 0; dim && i < 4; i++) dim[i] = 0;
    if (!tg_ok(s)) return NULL;
    if (!dim) tg_fail(s, "tg_idx_read: dim is NULL");
    else if (!path) tg_fail(s, "tg_idx_read: path is NULL");
    else if (want_rank < 1 || want_rank > 4) tg_fail(s, "tg_idx_read: rank %d, want 1 to 4", want_rank);
    tg_file f;
    if (!tg_ok(s) || !tg_file_open(&f, s, path)) return NULL;
    const element *type = NULL;
    const uint64_t count = read_header(&f, want_rank, dim, &type);
    uint8_t *const data = tg_ok(s) ? tg_file_take(&f, count * type->size) : NULL;
    if (data && tg_file_end(&f)) to_bytes(&f, type, data, count);
    tg_file_close(&f);
    return tg_ok(s) ? data : NULL;
}

/* ---- folders ---- */

typedef struct {
    char text[48];
} file_name;

/* Finds "train-images-idx3-ubyte" or another spelling in use: "train-images.idx3-ubyte", another type, with ".gz".
 * Plain files are preferred.  If none exists, the first of these names is returned, for the message. */
static void choose(const char *folder, tg_split split, const char *what, int rank, file_name *name)
{
    for (int gzip = 0; gzip < 2; gzip++)
        for (int i = 0; i < ELEMENTS; i++)
            for (const char *mark = "-."; *mark; mark++) {
                snprintf(name->text, sizeof name->text, "%s-%s%cidx%d-%s%s", split == TG_TEST ? "t10k" : "train", what,
                         *mark, rank, elements[i].name, gzip ? ".gz" : "");
                if (tg_is_file(folder, name->text)) return;
            }
    snprintf(name->text, sizeof name->text, "%s-%s-idx%d-ubyte", split == TG_TEST ? "t10k" : "train", what, rank);
}

bool tg_idx_folder(const char *folder, tg_split split)
{
    file_name name;
    choose(folder, split, "images", 3, &name);
    return tg_is_file(folder, name.text);
}

bool tg_idx_holds(tg_scope *s, const char *folder)
{
    (void)s;
    return tg_idx_folder(folder, TG_TRAIN) || tg_idx_folder(folder, TG_TEST);
}

bool tg_idx_load(tg_scope *s, const char *folder, tg_split split, tg_dataset *d)
{
    file_name name;
    choose(folder, split, "images", 3, &name);
    const char *const images = tg_path(s, folder, name.text);
    choose(folder, split, "labels", 1, &name);
    const char *const labels = tg_path(s, folder, name.text);
    if (!tg_ok(s)) return false;

    int64_t size[4], many[4];
    d->images = tg_idx_read(s, images, 3, size);
    d->labels = tg_idx_read(s, labels, 1, many);
    if (!tg_ok(s)) return false;
    if (many[0] != size[0])
        tg_fail(s, "%s: %lld labels, want %lld, one for each image", labels, (long long)many[0], (long long)size[0]);
    else if (size[1] > TG_MAX_SIDE || size[2] > TG_MAX_SIDE)
        tg_fail(s, "%s: images of %lld x %lld pixels, want sides of 1 to %d", images, (long long)size[1],
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

/* Classes, mean and deviation of the training images are used for the test images, too.  Without a training split the
 * classes are those of the test labels, and mean and deviation stay 0.5, which maps 0 .. 1 to -1 .. 1. */
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
