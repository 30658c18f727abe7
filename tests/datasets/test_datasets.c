/* test_datasets.c - opens folders of data: the sample, Fashion-MNIST, CIFAR, unknown ones; and images in memory. */
#include "data_files.h"
#include "dataset.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char sample[] = "datasets/sample"; /* tests run in the source tree */

/* ---- Fashion-MNIST ---- */
static void check_sample(tg_scope *s, const tg_dataset *d, int64_t count)
{
    assert_string_equal(tg_message(s), "");
    assert_int_equal(d->count, count);
    assert_true(d->h == 28 && d->w == 28 && d->c == 1 && d->classes == 10);
    assert_string_equal(d->class_names[9], "Ankle boot");
    int64_t of[10] = { 0 };
    for (int64_t i = 0; i < count; i++) of[d->labels[i]]++;
    for (int k = 0; k < 10; k++) assert_int_equal(of[k], count / 10);
    tg_dataset own = *d;
    tg_dataset_measure(&own); /* its statistics are close to the whole set's */
    assert_true(fabs((double)own.mean[0] - (double)d->mean[0]) < 0.01);
    assert_true(fabs((double)own.deviation[0] - (double)d->deviation[0]) < 0.01);
}

static void opens_the_sample(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    check_sample(s, tg_fashion_mnist_sample(s, sample, TG_TRAIN), 2000);
    check_sample(s, tg_fashion_mnist_sample(s, sample, TG_TEST), 500);
    check_sample(s, tg_fashion_mnist_sample(s, NULL, TG_TEST), 500);
    setenv("TG_SAMPLE_DIR", sample, 1);
    check_sample(s, tg_fashion_mnist_sample(s, NULL, TG_TEST), 500);
    setenv("TG_SAMPLE_DIR", "no/such/folder", 1);
    assert_null(tg_fashion_mnist_sample(s, NULL, TG_TEST));
    data_refused(s, "sample", "no/such/folder/t10k-images-idx3-ubyte: cannot be opened: No such file", "");
    unsetenv("TG_SAMPLE_DIR");
    tg_close(s);
}

static void falls_back_to_the_sample(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    setenv("TG_FASHION_MNIST_DIR", "no/such/folder", 1);
    const tg_dataset *const d = tg_fashion_mnist(s, NULL, TG_TRAIN);
    check_sample(s, d, 2000);
    assert_non_null(strstr(d->note, "apt install dataset-fashion-mnist"));
    setenv("TG_FASHION_MNIST_DIR", sample, 1);
    assert_null(tg_fashion_mnist(s, NULL, TG_TRAIN)->note);
    unsetenv("TG_FASHION_MNIST_DIR");
    assert_null(tg_fashion_mnist(s, "no/such/folder", TG_TRAIN)); /* a folder that is named must exist */
    data_refused(s, "asked for", "no/such/folder/train-images-idx3-ubyte: cannot be opened", "");
    tg_close(s);
}

static void knows_fashion_mnist(void **state)
{
    (void)state;
    if (access("/usr/share/datasets/fashion-mnist", F_OK) != 0) {
        print_message("skipped: the package dataset-fashion-mnist is not installed\n");
        skip();
    }
    tg_scope *const s = tg_open();
    const tg_dataset *const d = tg_fashion_mnist(s, NULL, TG_TRAIN);
    check_sample(s, d, 60000);
    tg_dataset own = *d;
    tg_dataset_measure(&own);
    assert_true(own.mean[0] == d->mean[0] && own.deviation[0] == d->deviation[0]);
    tg_close(s);
}

/* ---- unknown folders of IDX files ---- */
static void put_split(const char *images, const char *labels, uint32_t count, int first_label)
{
    const blob pixels = data_idx(3, D(count, 4, 5), count * 20);
    blob classes = data_idx(1, D(count), count);
    for (uint32_t i = 0; i < count; i++) classes.at[8 + i] = (uint8_t)((uint32_t)first_label + i);
    data_put(images, pixels.at, pixels.n);
    data_put(labels, classes.at, classes.n);
}

static void opens_an_unknown_folder(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    data_folder_empty();
    put_split("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 3, 2);
    const tg_dataset *test = tg_dataset_open(s, data_folder, TG_TEST);
    assert_string_equal(tg_message(s), "");
    assert_true(test->count == 3 && test->h == 4 && test->w == 5 && test->c == 1 && test->classes == 5);
    assert_true(test->mean[0] == 0.5f && test->deviation[0] == 0.5f);
    assert_string_equal(test->class_names[4], "4");
    assert_string_equal(test->name, data_folder);

    put_split("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 7, 0);
    const tg_dataset *const train = tg_dataset_open(s, data_folder, TG_TRAIN);
    test = tg_dataset_open(s, data_folder, TG_TEST);
    assert_string_equal(tg_message(s), "");
    assert_true(train->classes == 7 && test->classes == 7 && train->count == 7 && test->count == 3);
    double sum = 0, squares = 0;
    for (int i = 0; i < 140; i++) sum += train->images[i] / 255.0;
    for (int i = 0; i < 140; i++) squares += pow(train->images[i] / 255.0 - sum / 140, 2);
    assert_true(fabs((double)train->mean[0] - sum / 140) < 1e-6);
    assert_true(fabs((double)train->deviation[0] - sqrt(squares / 140)) < 1e-6);
    assert_true(test->mean[0] == train->mean[0] && test->deviation[0] == train->deviation[0]);
    tg_close(s);
}

/* With the spellings of archives; plain files are preferred to gzip, bytes to other types. */
static void opens_folders_of_other_names(void **state)
{
    static const struct {
        const char *images, *labels;
    } rows[] = {
        { "train-images.idx3-ubyte", "train-labels.idx1-ubyte" },
        { "train-images-idx3-byte", "train-labels.idx1-byte" },
        { "train-images-idx3-ubyte", "train-labels-idx1-int" },
    };
    const char *const path = data_folder;
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        data_folder_empty();
        put_split(rows[i].images, rows[i].labels, 7, 0);
        const blob other = data_idx(3, D(1, 4, 5), 20), packed = data_gzip(&other);
        char name[64];
        snprintf(name, sizeof name, "%s.gz", rows[i].images);
        data_put(name, packed.at, packed.n);
        const tg_dataset *const d = tg_dataset_open(s, path, TG_TRAIN);
        if (!d) fail_msg("%s: %s", rows[i].images, tg_message(s));
        assert_true(d->count == 7 && d->classes == 7 && d->images[1] == 10 && d->labels[6] == 6);
        unlink(data_path(rows[i].images));
        assert_null(tg_dataset_open(s, path, TG_TRAIN));
        data_refused(s, "the gzip file has one", data_path(rows[i].labels), "7 labels, want 1");
        tg_reset(s);
    }
    data_folder_empty();
    tg_close(s);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    data_folder_empty();
    put_split("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 7, 0);
    assert_null(tg_dataset_open(s, data_folder, TG_TEST));
    data_refused(s, "no test split", data_path("t10k-images-idx3-ubyte"), "cannot be opened: No such file");
    put_split("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 3, 6);
    assert_null(tg_dataset_open(s, data_folder, TG_TEST));
    data_refused(s, "label", data_folder, "label 7 of image 1, want 0 to 6");
    const blob labels = data_idx(1, D(6), 6);
    data_put("train-labels-idx1-ubyte", labels.at, labels.n);
    assert_null(tg_dataset_open(s, data_folder, TG_TRAIN));
    data_refused(s, "fewer labels", data_path("train-labels-idx1-ubyte"), "6 labels, want 7, one for each image");
    const blob wide = data_idx(3, D(1, 1, 16385), 16385);
    data_put("train-images-idx3-ubyte", wide.at, wide.n);
    assert_null(tg_fashion_mnist(s, data_folder, TG_TRAIN));
    data_refused(s, "count", data_path("train-labels-idx1-ubyte"), "6 labels, want 1");
    const blob label = data_idx(1, D(1), 1);
    data_put("train-labels-idx1-ubyte", label.at, label.n);
    assert_null(tg_dataset_open(s, data_folder, TG_TRAIN));
    data_refused(s, "wide", data_path("train-images-idx3-ubyte"), "images of 1 x 16385 pixels");
    unlink(data_path("train-labels-idx1-ubyte"));
    assert_null(tg_dataset_open(s, data_folder, TG_TRAIN));
    data_refused(s, "no labels", data_path("train-labels-idx1-ubyte"), "cannot be opened: No such file");
    data_folder_empty();
    assert_null(tg_dataset_open(s, data_folder, TG_TRAIN));
    data_refused(s, "empty", data_folder, "no data set, want a folder with");
    assert_null(tg_dataset_open(s, NULL, TG_TRAIN));
    data_refused(s, "NULL", "tg_dataset_open: dir is NULL", "");
    tg_close(s);
}

/* ---- CIFAR ---- */
enum { RECORDS = 3 };

/* Byte i of plane k of record r of a file is (i * 3 + k * 85 + r) % 251. */
static blob cifar(int labels, int first, int records)
{
    blob b = { 0 };
    for (int r = 0; r < records; r++) {
        for (int k = 0; k < labels; k++) b.at[b.n++] = (uint8_t)(first + r + k);
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 1024; i++) b.at[b.n++] = (uint8_t)((i * 3 + k * 85 + r) % 251);
    }
    return b;
}

static void check_cifar(tg_scope *s, const tg_dataset *d, int files, const char *name, int classes)
{
    assert_string_equal(tg_message(s), "");
    assert_string_equal(d->name, name);
    assert_true(d->h == 32 && d->w == 32 && d->c == 3 && d->classes == classes && d->count == files * RECORDS);
    for (int n = 0; n < d->count; n++) {
        assert_int_equal(d->labels[n], classes == 10 ? n % RECORDS + n / RECORDS : n % RECORDS + 8);
        for (int i = 0; i < 3072; i++)
            assert_int_equal(d->images[n * 3072 + i], (i / 3 * 3 + i % 3 * 85 + n % RECORDS) % 251);
    }
}

static void put_cifar10(void)
{
    static const char *const names[] = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                         "data_batch_5.bin" };
    for (int i = 0; i < 5; i++) {
        const blob b = cifar(1, i, RECORDS);
        data_put(names[i], b.at, b.n);
    }
    const blob b = cifar(1, 0, RECORDS);
    data_put("test_batch.bin", b.at, b.n);
}

static void opens_cifar(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    data_folder_empty();
    put_cifar10();
    check_cifar(s, tg_cifar10(s, data_folder, TG_TRAIN), 5, "CIFAR-10", 10);
    check_cifar(s, tg_dataset_open(s, data_folder, TG_TEST), 1, "CIFAR-10", 10);
    assert_string_equal(tg_cifar10(s, data_folder, TG_TEST)->class_names[9], "truck");

    char command[256];
    snprintf(command, sizeof command, "cd %s && mkdir cifar-10-batches-bin && mv *.bin cifar-10-batches-bin",
             data_folder);
    assert_int_equal(system(command), 0);
    check_cifar(s, tg_dataset_open(s, data_folder, TG_TRAIN), 5, "CIFAR-10", 10);
    setenv("TG_DATA_DIR", data_folder, 1);
    check_cifar(s, tg_cifar10(s, NULL, TG_TRAIN), 5, "CIFAR-10", 10);
    unsetenv("TG_DATA_DIR");

    data_folder_empty();
    const blob fine = cifar(2, 7, RECORDS);
    data_put("train.bin", fine.at, fine.n);
    data_put("test.bin", fine.at, fine.n);
    check_cifar(s, tg_cifar100(s, data_folder, TG_TRAIN), 1, "CIFAR-100", 100);
    check_cifar(s, tg_dataset_open(s, data_folder, TG_TEST), 1, "CIFAR-100", 100);
    assert_string_equal(tg_cifar100(s, data_folder, TG_TEST)->class_names[99], "worm");
    tg_close(s);
}

static void names_are_in_order(void **state)
{
    (void)state;
    for (int i = 1; i < 100; i++) assert_true(strcmp(tg_cifar100_names[i - 1], tg_cifar100_names[i]) < 0);
    for (int i = 1; i < 10; i++) assert_true(strcmp(tg_cifar10_names[i - 1], tg_cifar10_names[i]) < 0);
}

static void refuses_bad_cifar(void **state)
{
    (void)state;
    const blob good = cifar(1, 0, RECORDS), fine = cifar(2, 0, RECORDS), packed = data_gzip(&good);
    blob label = good, coarse = fine, kind = fine, none = { 0 }, shorter = good, longer = good;
    label.at[3073] = 10, coarse.at[0] = 20, kind.at[2 * 3074 + 1] = 100;
    shorter.n--, longer.n++;
    const struct {
        const char *name, *file;
        const blob *bytes;
        const char *contains;
    } rows[] = {
        { "label", "data_batch_3.bin", &label, "label 10 in record 1, want 0 to 9" },
        { "short", "data_batch_3.bin", &shorter, "9218 bytes, want a multiple of 3073" },
        { "long", "data_batch_3.bin", &longer, "9220 bytes, want a multiple of 3073" },
        { "empty", "data_batch_3.bin", &none, "0 bytes, want a multiple of 3073" },
        { "gzip", "data_batch_3.bin", &packed, "is gzip, want it unpacked" },
        { "CIFAR-100's", "data_batch_3.bin", &fine, "9222 bytes, want a multiple of 3073" },
        { "coarse label", "train.bin", &coarse, "label 20 in record 0, want 0 to 19" },
        { "fine label", "train.bin", &kind, "label 100 in record 2, want 0 to 99" },
        { "CIFAR-10's", "train.bin", &good, "9219 bytes, want a multiple of 3074" },
    };
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        data_folder_empty();
        if (rows[i].file[0] == 'd') put_cifar10();
        data_put(rows[i].file, rows[i].bytes->at, rows[i].bytes->n);
        assert_null(tg_dataset_open(s, data_folder, TG_TRAIN));
        data_refused(s, rows[i].name, data_path(rows[i].file), rows[i].contains);
    }
    put_cifar10();
    unlink(data_path("data_batch_5.bin"));
    assert_null(tg_cifar10(s, data_folder, TG_TRAIN));
    data_refused(s, "absent", data_path("data_batch_5.bin"), "cannot be opened: No such file");
    assert_null(tg_cifar10(s, "no/such/folder", TG_TRAIN));
    data_refused(s, "no folder", "no/such/folder: no CIFAR-10, want data_batch_1.bin", "cifar-10-batches-bin");
    tg_close(s);
}

/* ---- in memory ---- */
static void copies_images_in_memory(void **state)
{
    (void)state;
    uint8_t images[2 * 3 * 4 * 2], labels[2] = { 1, 0 };
    for (int i = 0; i < 48; i++) images[i] = (uint8_t)(i % 2 ? 255 : i / 24 * 255);
    tg_scope *const s = tg_open();
    const tg_dataset *const d = tg_dataset_from(s, 2, 3, 4, 2, 2, images, labels);
    assert_string_equal(tg_message(s), "");
    memset(images, 7, sizeof images);
    assert_true(d->count == 2 && d->h == 3 && d->w == 4 && d->c == 2 && d->classes == 2);
    assert_true(d->images[0] == 0 && d->images[1] == 255 && d->images[47] == 255 && d->labels[0] == 1);
    assert_true(d->mean[0] == 0.5f && d->deviation[0] == 0.5f);
    assert_true(d->mean[1] == 1 && d->deviation[1] == 1); /* constant: not divided by zero */
    tg_close(s);
}

static void refuses_impossible_images(void **state)
{
    (void)state;
    static const uint8_t images[64], labels[4] = { 0, 1, 2, 3 };
    const struct {
        int64_t count;
        int h, w, c, classes;
        const uint8_t *images, *labels;
        const char *contains;
    } rows[] = {
        { 0, 2, 2, 1, 4, images, labels, "0 images" },
        { -1, 2, 2, 1, 4, images, labels, "-1 images" },
        { INT64_MAX, 2, 2, 1, 4, images, labels, "images, want 1 to 4294967295" },
        { 4, 0, 2, 1, 4, images, labels, "images of 0 x 2 pixels" },
        { 4, 2, -3, 1, 4, images, labels, "images of 2 x -3 pixels" },
        { 4, 2, 1 << 30, 1, 4, images, labels, "images of 2 x 1073741824 pixels" },
        { 4, 2, 2, 0, 4, images, labels, "images of 0 channels, want 1 to 4" },
        { 4, 2, 2, 5, 4, images, labels, "images of 5 channels" },
        { 4, 2, 2, 1, 0, images, labels, "0 classes, want 1 to 256" },
        { 4, 2, 2, 1, 257, images, labels, "257 classes" },
        { 4, 2, 2, 1, 3, images, labels, "label 3 of image 3, want 0 to 2" },
        { 4, 2, 2, 1, 4, NULL, labels, "images is NULL" },
        { 4, 2, 2, 1, 4, images, NULL, "labels is NULL" },
    };
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(tg_dataset_from(s, rows[i].count, rows[i].h, rows[i].w, rows[i].c, rows[i].classes, rows[i].images,
                                    rows[i].labels));
        data_refused(s, rows[i].contains, "tg_dataset_from: ", rows[i].contains);
    }
    tg_close(s);
}

static void does_nothing_in_a_failed_scope(void **state)
{
    (void)state;
    static const uint8_t images[4], labels[1];
    tg_scope *const s = tg_open();
    tg_fail(s, "before");
    int64_t dim[4];
    assert_null(tg_fashion_mnist(s, NULL, TG_TRAIN));
    assert_null(tg_fashion_mnist_sample(s, NULL, TG_TRAIN));
    assert_null(tg_cifar10(s, data_folder, TG_TRAIN));
    assert_null(tg_cifar100(s, NULL, TG_TEST));
    assert_null(tg_dataset_open(s, sample, TG_TEST));
    assert_null(tg_dataset_from(s, 1, 2, 2, 1, 1, images, labels));
    assert_null(tg_idx_read(s, "datasets/sample/train-labels-idx1-ubyte.gz", 1, dim));
    assert_string_equal(tg_message(s), "before");
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_sample),
        cmocka_unit_test(falls_back_to_the_sample),
        cmocka_unit_test(knows_fashion_mnist),
        cmocka_unit_test(opens_an_unknown_folder),
        cmocka_unit_test(opens_folders_of_other_names),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(opens_cifar),
        cmocka_unit_test(names_are_in_order),
        cmocka_unit_test(refuses_bad_cifar),
        cmocka_unit_test(copies_images_in_memory),
        cmocka_unit_test(refuses_impossible_images),
        cmocka_unit_test(does_nothing_in_a_failed_scope),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
