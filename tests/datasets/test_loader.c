/* test_loader.c - batches: which images, in which order, with which transforms, for any number of workers. */
#include <tilegrad/datasets.h>
#include "system.h"
#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 53, H = 5, W = 6, C = 3, SIZE = H * W * C };

/* The first byte of image i is i, its label is i % 7. */
static tg_dataset *make_data(tg_scope *s, int c)
{
    uint8_t images[COUNT * SIZE], labels[COUNT];
    for (int i = 0; i < COUNT * H * W * c; i++) images[i] = (uint8_t)((i * 167 + 89) % 256);
    for (int i = 0; i < COUNT; i++) images[i * H * W * c] = (uint8_t)i;
    for (int i = 0; i < COUNT; i++) labels[i] = (uint8_t)(i % 7);
    return tg_dataset_from(s, COUNT, H, W, c, 7, images, labels);
}

static const tg_loader_config plain = { .batch = 8, .no_shuffle = true, .no_normalize = true };

static void normalises(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    tg_loader *const l = tg_loader_new(s, make_data(s, C), (tg_loader_config){ .batch = COUNT });
    tg_batch b;
    assert_true(tg_next(s, l, &b));
    const float *const x = tg_data(b.x);
    for (int k = 0; k < C; k++) {
        double sum = 0, squares = 0;
        for (int i = k; i < COUNT * SIZE; i += C) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
        assert_true(fabs(sum) < 1e-2 && fabs(squares / (COUNT * H * W) - 1) < 1e-4);
    }
    tg_close(s);
}

/* ---- order ---- */
static void gives_all_in_order(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    tg_loader *const l = tg_loader_new(s, make_data(s, C), plain);
    assert_int_equal(tg_loader_batches(l), 7);
    for (int epoch = 0; epoch < 3; epoch++) {
        int next = 0;
        for (tg_batch b; tg_next(step, l, &b); tg_reset(step)) {
            assert_int_equal(b.first, next);
            assert_int_equal(b.count, next == 48 ? 5 : 8);
            assert_true(b.x->rank == 4 && b.x->dim[0] == b.count && b.x->dim[1] == H && b.x->dim[2] == W &&
                        b.x->dim[3] == C && b.y->rank == 1 && b.y->dim[0] == b.count);
            assert_true(b.x->dtype == TG_F32 && b.y->dtype == TG_I64);
            const float *const x = tg_data(b.x);
            const int64_t *const y = tg_data(b.y);
            for (int i = 0; i < b.count; i++, next++) {
                assert_true(fabs((double)x[i * SIZE] - next / 255.0) < 1e-7);
                assert_int_equal(y[i], next % 7);
            }
        }
        assert_int_equal(next, COUNT);
    }
    assert_string_equal(tg_message(s), "");
    tg_close(s);
}

/* batch.index names the images; their labels agree. */
static void says_which_images(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    const tg_dataset *const d = make_data(s, 1);
    tg_loader *const l = tg_loader_new(s, d, (tg_loader_config){ .batch = 8, .seed = 3 });
    bool seen[COUNT] = { false };
    for (tg_batch b; tg_next(step, l, &b); tg_reset(step))
        for (int i = 0; i < b.count; i++) {
            assert_true(b.index[i] < COUNT && !seen[b.index[i]]);
            seen[b.index[i]] = true;
            assert_int_equal(tg_i64(b.y)[i], d->labels[b.index[i]]);
        }
    for (int i = 0; i < COUNT; i++) assert_true(seen[i]);
    tg_close(s);
}

static void drops_the_last(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    tg_loader_config config = plain;
    config.drop_last = true;
    tg_loader *const l = tg_loader_new(s, make_data(s, 1), config);
    assert_int_equal(tg_loader_batches(l), 6);
    for (int epoch = 0; epoch < 2; epoch++) {
        int batches = 0;
        for (tg_batch b; tg_next(step, l, &b); tg_reset(step), batches++) assert_int_equal(b.count, 8);
        assert_int_equal(batches, 6);
    }
    config.batch = COUNT; /* one whole batch; a larger size yields what there is */
    assert_int_equal(tg_loader_batches(tg_loader_new(s, make_data(s, 1), config)), 1);
    config.drop_last = false;
    config.batch = INT32_MAX;
    tg_loader *const all = tg_loader_new(s, make_data(s, 1), config);
    tg_batch b;
    assert_int_equal(tg_loader_batches(all), 1);
    assert_true(tg_next(step, all, &b) && b.count == COUNT);
    assert_false(tg_next(step, all, &b));
    tg_close(s);
}

/* ---- the same for any workers ---- */
typedef struct {
    uint64_t sum;
    int batches;
} digest;

static void digest_batch(digest *d, const tg_batch *b)
{
    const size_t bytes[2] = { (size_t)tg_count(b->x) * 4, (size_t)b->count * 8 };
    const uint8_t *const from[2] = { tg_data(b->x), tg_data(b->y) };
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < bytes[part]; i++) d->sum = (d->sum ^ from[part][i]) * 0x100000001b3u;
    d->sum += (uint64_t)b->first;
    d->batches++;
}

static const tg_loader_config augmented = { .batch = 8, .seed = 42, .crop_pad = 2, .flip = true };

/* Reset after each `keep` batches. */
static digest digest_epochs(tg_loader_config config, int keep)
{
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    tg_loader *const l = tg_loader_new(s, make_data(s, C), config);
    digest d = { 0 };
    for (int epoch = 0; epoch < 6; epoch++)
        for (tg_batch b; tg_next(step, l, &b);) {
            digest_batch(&d, &b);
            if (d.batches % keep == 0) tg_reset(step);
        }
    assert_string_equal(tg_message(s), "");
    tg_close(s);
    return d;
}

static void workers_do_not_matter(void **state)
{
    (void)state;
    tg_loader_config config = augmented;
    const digest one = digest_epochs(config, 1);
    assert_int_equal(one.batches, 42);
    for (config.workers = 1; config.workers <= 4; config.workers++)
        for (int keep = 1; keep <= 42; keep += 1 + keep) {
            const digest other = digest_epochs(config, keep);
            assert_true(other.sum == one.sum && other.batches == one.batches);
        }
    config.seed++;
    assert_true(digest_epochs(config, 1).sum != one.sum);
}

static void seeks(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    tg_loader_config config = augmented;
    config.workers = 3;
    tg_loader *const l = tg_loader_new(s, make_data(s, C), config);
    digest at[3][7] = { 0 };
    tg_batch b;
    for (int epoch = 0; epoch < 3; epoch++)
        for (int batch = 0; tg_next(step, l, &b); batch++, tg_reset(step)) digest_batch(&at[epoch][batch], &b);
    for (int i = 0; i < 300; i++) {
        int epoch = i * 7 % 3, batch = i * 11 % 8; /* batch 7: the end */
        tg_loader_seek(s, l, epoch, batch);
        for (int go = 0; go < i % 5; go++) {
            digest d = { 0 };
            if (batch == 7) {
                assert_false(tg_next(step, l, &b));
                if (++epoch == 3) break;
                batch = 0;
            }
            assert_true(tg_next(step, l, &b));
            digest_batch(&d, &b);
            assert_true(d.sum == at[epoch][batch++].sum);
        }
        tg_reset(step);
    }
    const int64_t bad[][2] = { { -1, 0 }, { 0, -1 }, { 0, 8 }, { INT64_MAX, 0 } };
    for (int i = 0; i < 4; i++) {
        tg_loader_seek(s, l, bad[i][0], bad[i][1]);
        assert_non_null(strstr(tg_message(s), "loader: batch "));
        tg_clear(s);
    }
    tg_close(s);
}

/* ---- memory and threads ---- */
static int count_threads(void)
{
    DIR *const tasks = opendir("/proc/self/task");
    int n = 0;
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void ends_its_threads(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const tg_dataset *const d = make_data(s, 1);
    tg_loader_config config = augmented;
    config.workers = 4;
    const int before = count_threads();
    for (int i = 0; i < 50; i++) {
        tg_scope *const inner = tg_push(s);
        tg_loader *const l = tg_loader_new(inner, d, config);
        assert_int_equal(count_threads(), before + 4);
        tg_batch b;
        for (int k = 0; k < i % 4; k++) assert_true(tg_next(inner, l, &b));
        tg_pop(inner);
        for (int wait = 0; wait < 1000 && count_threads() > before; wait++) {
        } /* joined, but not gone yet */
    }
    assert_int_equal(count_threads(), before);
    tg_close(s);
}

static void batches_outlive_the_loader(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const inner = tg_push(s);
    tg_loader *const l = tg_loader_new(inner, make_data(s, C), augmented);
    tg_batch b[3];
    digest before = { 0 }, after = { 0 };
    for (int i = 0; i < 3; i++) assert_true(tg_next(s, l, b + i));
    for (int i = 0; i < 3; i++) digest_batch(&before, b + i);
    tg_pop(inner);
    for (int i = 0; i < 3; i++) digest_batch(&after, b + i);
    assert_true(before.sum == after.sum);
    tg_close(s);
}

static void asks_for_memory_only_at_first(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    tg_loader_config config = augmented;
    config.workers = 2;
    tg_loader *const l = tg_loader_new(s, make_data(s, C), config);
    uint64_t requests = 0;
    for (int epoch = 0; epoch < 10; epoch++) {
        int kept = 0;
        for (tg_batch b; tg_next(step, l, &b);)
            if (++kept % 4 == 0) tg_reset(step); /* four micro-batches a step */
        tg_reset(step);
        if (epoch == 1) requests = tg_system_requests();
    }
    assert_int_equal(tg_system_requests(), requests);
    tg_close(s);
}

/* Memory and threads, which count as requests, too. */
static void refuses_every_allocation_once(void **state)
{
    (void)state;
    const int before = count_threads();
    int failures = 0;
    for (uint64_t n = 1; n < 1000; n++) {
        tg_scope *const s = tg_open();
        const tg_dataset *const d = make_data(s, C);
        tg_loader_config config = augmented;
        config.workers = 3;
        tg_system_fail_at(n);
        tg_loader *const l = tg_loader_new(s, d, config);
        int batches = 0;
        for (tg_batch b; tg_next(s, l, &b); batches++) {
        }
        tg_system_fail_at(0);
        const bool fine = tg_ok(s);
        assert_true(fine == (batches == 7) && (fine || tg_message(s)[0]));
        failures += !fine;
        tg_close(s);
        if (fine) break;
    }
    assert_in_range(failures, 8, 100);
    for (int wait = 0; wait < 1000 && count_threads() > before; wait++) {
    }
    assert_int_equal(count_threads(), before);
}

/* ---- bad input ---- */
static void refuses_bad_configurations(void **state)
{
    (void)state;
    const struct {
        tg_loader_config config;
        const char *contains;
    } rows[] = {
        { { .batch = 0 }, "loader: a batch of 0 images, want at least 1" },
        { { .batch = -8 }, "loader: a batch of -8 images" },
        { { .batch = 54, .drop_last = true }, "loader: 53 images make no whole batch of 54" },
        { { .batch = 8, .crop_pad = -1 }, "loader: crop_pad is -1, want 0 to 4 for images of 5 x 6" },
        { { .batch = 8, .crop_pad = 5 }, "loader: crop_pad is 5" },
        { { .batch = 8, .workers = -1 }, "loader: -1 workers, want 0 to 64" },
        { { .batch = 8, .workers = 65 }, "loader: 65 workers" },
    };
    tg_scope *const s = tg_open();
    tg_dataset *const d = make_data(s, C);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(tg_loader_new(s, d, rows[i].config));
        assert_non_null(strstr(tg_message(s), rows[i].contains));
        tg_clear(s);
    }
    assert_null(tg_loader_new(s, NULL, plain));
    assert_string_equal(tg_message(s), "loader: data is NULL");
    tg_clear(s);
    d->deviation[2] = NAN;
    assert_null(tg_loader_new(s, d, augmented));
    assert_non_null(strstr(tg_message(s), "loader: deviation of channel 2 is nan"));
    tg_close(s);
}

static void does_nothing_in_a_failed_scope(void **state)
{
    (void)state;
    tg_scope *const s = tg_open(), *const step = tg_train(s);
    const tg_dataset *const d = make_data(s, C);
    tg_loader *const l = tg_loader_new(s, d, plain);
    tg_batch b;
    assert_true(tg_next(step, l, &b));
    tg_fail(step, "before");
    assert_false(tg_next(step, l, &b));
    assert_null(b.x);
    tg_reset(step);
    assert_false(tg_next(step, l, &b));
    assert_null(tg_loader_new(s, d, plain));
    tg_loader_seek(s, l, -1, -1);
    assert_string_equal(tg_message(s), "before");
    tg_clear(s);
    assert_true(tg_next(step, l, &b));
    assert_int_equal(b.first, 8); /* nothing was lost */
    assert_false(tg_next(step, NULL, &b));
    assert_int_equal(tg_loader_batches(NULL), 0);
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalises),
        cmocka_unit_test(gives_all_in_order),
        cmocka_unit_test(says_which_images),
        cmocka_unit_test(drops_the_last),
        cmocka_unit_test(workers_do_not_matter),
        cmocka_unit_test(seeks),
        cmocka_unit_test(ends_its_threads),
        cmocka_unit_test(batches_outlive_the_loader),
        cmocka_unit_test(asks_for_memory_only_at_first),
        cmocka_unit_test(refuses_every_allocation_once),
        cmocka_unit_test(refuses_bad_configurations),
        cmocka_unit_test(does_nothing_in_a_failed_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
