/* cifar.c - CIFAR-10 and CIFAR-100 (Krizhevsky 2009), binary versions: records of one or two label bytes and 3072
 * bytes of pixels: a plane of 32 x 32 red values, then green, then blue. */
#include "data_file.h"
#include "dataset.h"
#include <stdlib.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE };

typedef struct {
    const char *name, *folder; /* the folder into which the archive unpacks */
    const char *files[2][6];   /* training, test */
    int labels;                /* label bytes in front of the pixels; the last one is used */
    int limit[2];              /* each label must be below */
    const char *const *class_names;
    float mean[4], deviation[4];
} cifar_kind;

static const cifar_kind cifar10 = {
    .name = "CIFAR-10",
    .folder = "cifar-10-batches-bin",
    .labels = 1,
    .limit = { 10 },
    .files = { { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin" },
               { "test_batch.bin" } },
    .class_names = tg_cifar10_names,
    .mean = { 0.49139968f, 0.48215841f, 0.44653091f },
    .deviation = { 0.24703223f, 0.24348513f, 0.26158784f },
};
static const cifar_kind cifar100 = {
    .name = "CIFAR-100",
    .folder = "cifar-100-binary",
    .labels = 2,
    .limit = { 20, 100 },
    .files = { { "train.bin" }, { "test.bin" } },
    .class_names = tg_cifar100_names,
    .mean = { 0.50707516f, 0.48654887f, 0.44091784f },
    .deviation = { 0.26733429f, 0.25643846f, 0.27615047f },
};

static bool holds(const cifar_kind *kind, const char *folder)
{
    return tg_is_file(folder, kind->files[0][0]) || tg_is_file(folder, kind->files[1][0]);
}

/* `folder`, or the archive's folder in it, or NULL. */
static const char *locate(tg_scope *s, const cifar_kind *kind, const char *folder)
{
    if (holds(kind, folder)) return folder;
    const char *const inner = tg_path(s, folder, kind->folder);
    return inner && holds(kind, inner) ? inner : NULL;
}

static const char *find(tg_scope *s, const cifar_kind *kind, const char *dir)
{
    const char *const said = getenv("TG_DATA_DIR");
    const char *const places[] = { dir ? dir : said ? said : "data", dir || said ? NULL : "." };
    for (int i = 0; i < 2 && places[i]; i++) {
        const char *const found = locate(s, kind, places[i]);
        if (found) return found;
    }
    tg_fail(s, "%s: no %s, want %s and %s there or in %s there",
            dir    ? dir
            : said ? said
                   : "data or .",
            kind->name, kind->files[0][0], kind->files[1][0], kind->folder);
    return NULL;
}

/* The count follows from the file's size on disk, so memory for all images can be allocated up front. */
static int64_t count_records(tg_file *f, const cifar_kind *kind)
{
    const uint64_t record = IMAGE + (uint64_t)kind->labels;
    if (!tg_ok(f->s)) return 0;
    if (f->gzip) tg_fail(f->s, "%s: is gzip, want it unpacked", f->path);
    else if (f->size == 0 || f->size % record)
        tg_fail(f->s, "%s: %llu bytes, want a multiple of %llu", f->path, (unsigned long long)f->size,
                (unsigned long long)record);
    return tg_ok(f->s) ? (int64_t)(f->size / record) : 0;
}

static int64_t count_file(tg_scope *s, const cifar_kind *kind, const char *path)
{
    tg_file f;
    if (!tg_file_open(&f, s, path)) return 0;
    const int64_t count = count_records(&f, kind);
    tg_file_close(&f);
    return count;
}

static void read_record(tg_file *f, const cifar_kind *kind, int64_t number, uint8_t *label, uint8_t *image)
{
    uint8_t record[2 + IMAGE];
    const size_t bytes = IMAGE + (size_t)kind->labels, got = tg_file_read(f, record, bytes);
    if (tg_ok(f->s) && got < bytes)
        tg_fail(f->s, "%s: ends in record %lld, after %zu of %zu bytes", f->path, (long long)number, got, bytes);
    for (int i = 0; i < kind->labels && tg_ok(f->s); i++)
        if (record[i] >= kind->limit[i])
            tg_fail(f->s, "%s: label %d in record %lld, want 0 to %d", f->path, record[i], (long long)number,
                    kind->limit[i] - 1);
    if (!tg_ok(f->s)) return;
    *label = record[kind->labels - 1];
    for (int p = 0; p < PLANE; p++)
        for (int k = 0; k < 3; k++) image[3 * p + k] = record[kind->labels + k * PLANE + p];
}

static void read_file(tg_scope *s, const cifar_kind *kind, const char *path, int64_t count, uint8_t *labels,
                      uint8_t *images)
{
    tg_file f;
    if (!tg_file_open(&f, s, path)) return;
    for (int64_t i = 0; i < count && tg_ok(s); i++) read_record(&f, kind, i, labels + i, images + i * IMAGE);
    tg_file_end(&f);
    tg_file_close(&f);
}

static tg_dataset *load(tg_scope *s, const cifar_kind *kind, const char *dir, tg_split split)
{
    const char *const folder = tg_ok(s) ? find(s, kind, dir) : NULL;
    const char *path[6] = { NULL };
    int64_t count[6] = { 0 }, all = 0;
    int files = 0;
    for (const char *const *name = kind->files[split == TG_TEST]; tg_ok(s) && *name; name++, files++) {
        path[files] = tg_path(s, folder, *name);
        count[files] = tg_ok(s) ? count_file(s, kind, path[files]) : 0;
        all += count[files];
    }
    uint8_t *const images = tg_ok(s) ? tg_file_memory(s, folder, (uint64_t)all * IMAGE) : NULL;
    uint8_t *const labels = tg_ok(s) ? tg_file_memory(s, folder, (uint64_t)all) : NULL;
    int64_t done = 0;
    for (int i = 0; i < files && tg_ok(s); done += count[i++])
        read_file(s, kind, path[i], count[i], labels + done, images + done * IMAGE);
    if (!tg_ok(s)) return NULL;

    tg_dataset d = {
        .name = kind->name,
        .count = all,
        .h = SIDE,
        .w = SIDE,
        .c = 3,
        .classes = kind->limit[kind->labels - 1],
        .images = images,
        .labels = labels,
        .class_names = kind->class_names,
    };
    for (int k = 0; k < 3; k++) {
        d.mean[k] = kind->mean[k];
        d.deviation[k] = kind->deviation[k];
    }
    return tg_dataset_keep(s, &d, folder);
}

tg_dataset *tg_cifar10(tg_scope *s, const char *dir, tg_split split) { return load(s, &cifar10, dir, split); }
tg_dataset *tg_cifar100(tg_scope *s, const char *dir, tg_split split) { return load(s, &cifar100, dir, split); }

bool tg_cifar10_folder(tg_scope *s, const char *folder) { return locate(s, &cifar10, folder) != NULL; }
bool tg_cifar100_folder(tg_scope *s, const char *folder) { return locate(s, &cifar100, folder) != NULL; }
