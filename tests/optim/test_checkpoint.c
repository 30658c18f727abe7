/* test_checkpoint.c - tg_save and tg_load of models and optimizers: the same bits before and after tg_optimize, in FP32
 * and BF16, and training that resumes from a file as if it had never stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "data_files.h"
#include "expect.h"
#include "system.h"
#include <tilegrad/tilegrad.h>
#include "update.h"

static bool has_bf16(void) { return tg_max_isa() >= TG_ISA_AVX512; }

/* Copies a path: data_path reuses its buffer. */
#define PATH(variable, name) \
    char variable[256]; \
    snprintf(variable, sizeof variable, "%s", data_path(name))

/* ---- resuming: optimizers x dtypes ---- */

enum { SGD, MOMENTUM, NESTEROV, ADAM, ADAMW };

typedef struct {
    const char *name;
    int kind;
    tg_dtype dtype;
    int threads; /* number of threads after loading */
} going_on;

static tg_optim *make_optimizer(tg_scope *s, tg_module *net, int kind)
{
    tg_optim *opt = NULL;
    switch (kind) {
    case SGD: opt = tg_sgd(s, net, (tg_sgd_config){ .lr = 0.05f, .weight_decay = 0.01f }); break;
    case MOMENTUM: opt = tg_sgd(s, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f }); break;
    case NESTEROV: opt = tg_sgd(s, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f, .nesterov = true }); break;
    case ADAM: opt = tg_adam(s, net, (tg_adam_config){ .lr = 0.01f, .weight_decay = 0.01f }); break;
    default: opt = tg_adamw(s, net, (tg_adam_config){ .lr = 0.01f, .weight_decay = 0.05f }); break;
    }
    tg_no_decay_on_bias_and_norm(s, opt);
    tg_schedule(s, opt, (tg_schedule_config){ .kind = TG_COSINE, .total = 20, .warmup = 3 });
    return opt;
}

/* 40 images of noise in batches of 4, shuffled, cropped, mirrored; a small CNN with batch norm and dropout. */
typedef struct {
    tg_scope *root;
    tg_module *net;
    tg_optim *opt;
    tg_dataset *data;
    tg_loader *loader;
} trainee;

static tg_module *make_net(tg_scope *s, int kernel)
{
    return tg_sequential(
        s, (tg_module *[]){
               tg_layer_conv2d(
                   s, (tg_layer_conv2d_config){ .in = 2, .out = 16, .kernel = kernel, .pad = 1, .no_bias = true }),
               tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 16 }), tg_layer_relu(s),
               tg_layer_conv_transpose2d(s, (tg_layer_conv2d_config){ .in = 16, .out = 8, .kernel = 2, .stride = 2 }),
               tg_layer_dropout(s, 0.25), tg_layer_adaptive_avg_pool2d(s, 2, 2), tg_layer_flatten(s),
               tg_layer_layer_norm(s, (tg_layer_norm_config){ .rank = 1, .dim = { 32 } }),
               tg_layer_linear(s, (tg_layer_linear_config){ .in = 32, .out = 5 }), NULL });
}

static trainee begin(const going_on *row, uint64_t seed)
{
    static uint8_t images[40 * 8 * 8 * 2], labels[40];
    for (size_t i = 0; i < sizeof images; i++) images[i] = (uint8_t)(i * i * 31 + i * 7);
    for (size_t i = 0; i < sizeof labels; i++) labels[i] = (uint8_t)(i * 3 % 5);
    trainee t = { .root = tg_open() };
    tg_seed(t.root, seed);
    t.data = tg_dataset_from(t.root, 40, 8, 8, 2, 5, images, labels);
    t.loader =
        tg_loader_new(t.root, t.data, (tg_loader_config){ .batch = 4, .seed = seed, .crop_pad = 1, .flip = true });
    t.net = make_net(t.root, 3);
    t.opt = make_optimizer(t.root, t.net, row->kind);
    if (row->dtype == TG_BF16) tg_optimize(t.root, t.net, t.opt, TG_BF16);
    expect_ok(t.root);
    return t;
}

static void train(trainee *t, int steps)
{
    tg_scope *const step = tg_train(t->root);
    for (tg_batch b; steps > 0 && tg_ok(step); tg_reset(step)) {
        if (!tg_next(step, t->loader, &b)) continue;
        tg_backward(step, tg_cross_entropy(step, tg_forward(step, t->net, b.x), b.y));
        tg_update(step, t->opt);
        steps--;
    }
    tg_pop(step);
    expect_ok(t->root);
}

static tg_stateful *things(const trainee *t, tg_stateful all[4])
{
    all[0] = tg_module_state(t->net);
    all[1] = tg_optim_state(t->opt);
    all[2] = tg_loader_state(t->loader);
    all[3] = tg_random_state(t->root);
    return all;
}

/* A hash of the FP32 values of all persistent state. */
static uint64_t values(trainee *t)
{
    tg_stateful all[4];
    PATH(path, "values.safetensors");
    tg_save_all(t->root, path, things(t, all), 2);
    expect_ok(t->root);
    uint64_t h = 14695981039346656037u;
    FILE *from = fopen(path, "rb");
    for (int c = fgetc(from); c != EOF; c = fgetc(from)) h = (h ^ (uint64_t)c) * 1099511628211u;
    fclose(from);
    return h;
}

/* 26 steps; or 13 (into the second epoch), save, load into a model of another seed, 13 more. */
static void resumes_as_if_never_stopped(void **state)
{
    const going_on *const row = *state;
    PATH(path, "going_on.safetensors");
    tg_stateful all[4];
    if (row->dtype == TG_BF16 && !has_bf16()) skip();
    trainee whole = begin(row, 5), first = begin(row, 5), second = begin(row, 99);
    train(&whole, 26);
    train(&first, 13);
    tg_save_all(first.root, path, things(&first, all), 4);
    expect_ok(first.root);
    const int threads = tg_threads();
    tg_set_threads(row->threads);
    tg_load_all(second.root, path, things(&second, all), 4);
    expect_ok(second.root);
    assert_true(values(&first) == values(&second));
    train(&second, 13);
    tg_set_threads(threads);
    assert_true(values(&whole) == values(&second));
    assert_int_equal(tg_steps(second.opt), 26);
    tg_close(whole.root);
    tg_close(first.root);
    tg_close(second.root);
}

/* ---- before and after tg_optimize ---- */

typedef enum { PLAIN, AS_F32, AS_BF16 } form;
static const char *const form_names[] = { "plain", "optimized FP32", "optimized BF16" };

static void optimize(trainee *t, form f)
{
    if (f != PLAIN) tg_optimize(t->root, t->net, t->opt, f == AS_BF16 ? TG_BF16 : TG_F32);
}

static void one_way(form before, form after)
{
    static const going_on adam = { "", ADAM, TG_F32, 1 };
    PATH(path, "forms.safetensors");
    trainee from = begin(&adam, 1), to = begin(&adam, 2);
    optimize(&from, before);
    train(&from, 3);
    tg_save(from.root, path, from.net, from.opt);
    if (after != PLAIN) optimize(&to, after);
    train(&to, 1); /* packed weights and optimizer states exist: loading must replace them all */
    tg_load(to.root, path, to.net, to.opt);
    expect_ok(to.root);
    if (values(&from) != values(&to)) fail_msg("%s to %s", form_names[before], form_names[after]);
    trainee late = begin(&adam, 2); /* tg_optimize after the load */
    tg_load(late.root, path, late.net, late.opt);
    optimize(&late, after);
    if (values(&from) != values(&late)) fail_msg("%s to %s, then optimized", form_names[before], form_names[after]);
    train(&to, 2);
    tg_loader_seek(late.root, late.loader, 0, 1);
    train(&late, 2);
    if (values(&to) != values(&late)) fail_msg("%s to %s: trained on", form_names[before], form_names[after]);
    tg_close(from.root);
    tg_close(to.root);
    tg_close(late.root);
}

static void all_forms_are_the_same_file(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    for (form before = PLAIN; before <= AS_BF16; before++)
        for (form after = PLAIN; after <= AS_BF16; after++) one_way(before, after);
}

/* ---- refusing ---- */

static void expect_load_refused(trainee *t, const char *path, tg_module *net, tg_optim *opt, const char *what)
{
    const uint64_t before = lasting_bytes(t->net, t->opt);
    const float lr = tg_lr(t->opt);
    tg_load(t->root, path, net, opt);
    if (!strstr(tg_message(t->root), what)) fail_msg("got \"%s\", want \"%s\"", tg_message(t->root), what);
    tg_clear(t->root);
    assert_true(lasting_bytes(t->net, t->opt) == before && tg_lr(t->opt) == lr);
}

static void names_all_that_does_not_fit(void **state)
{
    (void)state;
    static const going_on sgd = { "", MOMENTUM, TG_F32, 1 };
    PATH(path, "refused.safetensors");
    trainee t = begin(&sgd, 1);
    train(&t, 2);
    tg_save(t.root, path, t.net, t.opt);
    tg_module *const other = tg_sequential(
        t.root,
        (tg_module *[]){ tg_layer_conv2d(t.root, (tg_layer_conv2d_config){ .in = 2, .out = 8, .kernel = 3, .pad = 1 }),
                         tg_layer_batch_norm2d(t.root, (tg_layer_batch_norm2d_config){ .features = 16 }), NULL });
    expect_load_refused(&t, path, other, NULL, "refused.safetensors: does not fit: 1 missing: 0.bias; 6 unexpected: ");
    expect_load_refused(&t, path, other, NULL,
                        "1 of another shape or dtype: 0.weight: F32 [16, 2, 3, 3] in the file, "
                        "f32 [8, 2, 3, 3] here");
    expect_load_refused(&t, path, t.net, tg_adam(t.root, t.net, (tg_adam_config){ .lr = 0.1f }),
                        "optim/kind: \"sgd\" in the file, \"adam\" here");
    expect_load_refused(&t, path, t.net, tg_sgd(t.root, t.net, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.5f }),
                        "optim/groups: \"2\" in the file, \"1\" here");
    expect_load_refused(&t, data_path("nothing"), t.net, NULL, "nothing: ");
    tg_save(t.root, path, t.net, NULL);
    expect_load_refused(&t, path, t.net, t.opt, "optim/kind");
    expect_load_refused(&t, path, NULL, NULL, "load: the module is NULL");
    tg_close(t.root);
}

/* Another head on the same body, and the body only. */
static void loads_what_matches(void **state)
{
    (void)state;
    static const going_on sgd = { "", SGD, TG_F32, 1 };
    PATH(path, "matching.safetensors");
    trainee t = begin(&sgd, 1), other = begin(&sgd, 2);
    tg_save(t.root, path, t.net, NULL);
    tg_module *const head = tg_layer_linear(other.root, (tg_layer_linear_config){ .in = 32, .out = 7 });
    tg_module *const net = tg_sequential(other.root, (tg_module *[]){ make_net(other.root, 3), head, NULL });
    const tg_stateful part = tg_module_state(net->first_child);
    const tg_stateful changed = tg_module_state(make_net(other.root, 5));
    const tg_load_report *report = tg_load_matching(other.root, path, &part, 1);
    expect_ok(other.root);
    assert_true(report->loaded == 12 && !report->n_missing && !report->n_unexpected && !report->n_misshapen);
    assert_true(lasting_bytes(net->first_child, NULL) == lasting_bytes(t.net, NULL));
    report = tg_load_matching(other.root, path, &changed, 1);
    assert_true(report->loaded == 11 && report->n_misshapen == 1);
    assert_string_equal(report->misshapen[0], "0.weight: F32 [16, 2, 3, 3] in the file, f32 [16, 2, 5, 5] here");
    tg_close(t.root);
    tg_close(other.root);
}

/* ---- memory ---- */

static void nothing_changes_when_memory_is_short(void **state)
{
    (void)state;
    static const going_on adam = { "", ADAM, TG_F32, 1 };
    PATH(path, "short.safetensors");
    PATH(part, "short.safetensors.part");
    for (int saving = 0; saving < 2; saving++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            trainee t = begin(&adam, 1), u = begin(&adam, 2);
            train(&t, 1);
            if (!saving) tg_save(t.root, path, t.net, t.opt);
            const uint64_t before = lasting_bytes(u.net, u.opt);
            tg_system_fail_at(n);
            if (saving) tg_save(t.root, path, t.net, t.opt);
            else tg_load(u.root, path, u.net, u.opt);
            tg_system_fail_at(0);
            failed = !tg_ok(saving ? t.root : u.root);
            tg_clear(u.root);
            if (!saving && failed) assert_true(lasting_bytes(u.net, u.opt) == before);
            if (saving && failed) assert_int_equal(access(part, F_OK), -1);
            tg_load(u.root, path, u.net, u.opt); /* the earlier file is intact */
            if (!saving || n > 1) expect_ok(u.root);
            if (!saving) assert_true(lasting_bytes(u.net, u.opt) == lasting_bytes(t.net, t.opt));
            tg_close(t.root);
            tg_close(u.root);
            assert_true(n < 2000);
        }
    }
}

/* A value in KiB from /proc/self/status; "VmHWM:" is the peak since its last reset. */
static long status_kib(const char *key)
{
    char line[256];
    long kib = -1;
    FILE *from = fopen("/proc/self/status", "r");
    while (kib < 0 && fgets(line, sizeof line, from))
        if (!strncmp(line, key, strlen(key))) kib = strtol(line + strlen(key), NULL, 10);
    fclose(from);
    return kib;
}

static bool forget_peak(void)
{
    FILE *to = fopen("/proc/self/clear_refs", "w");
    const bool done = to && fputs("5", to) >= 0;
    return to && !fclose(to) && done;
}

/* The peak growth of the process in MiB while saving or loading. */
static double growth(trainee *t, const char *path, bool saving)
{
    if (!forget_peak()) skip();
    const long before = status_kib("VmRSS:");
    if (saving) tg_save(t->root, path, t->net, t->opt);
    else tg_load(t->root, path, t->net, t->opt);
    expect_ok(t->root);
    return (double)(status_kib("VmHWM:") - before) / 1024;
}

/* AddressSanitizer keeps a shadow byte for every 8 bytes touched. */
#ifdef __SANITIZE_ADDRESS__
#define SHADOW(mib) ((mib) / 8)
#else
#define SHADOW(mib) 0
#endif

/* 64 MiB of weights and 64 MiB of momentum. */
static void needs_little_memory(void **state)
{
    enum { SIDE = 4096, MIB = 2 * SIDE * SIDE / (1 << 20) * 4 };
    PATH(path, "large.safetensors");
    trainee t = { .root = tg_open() };
    (void)state;
    t.net = tg_layer_linear(t.root, (tg_layer_linear_config){ .in = SIDE, .out = SIDE, .no_bias = true });
    t.opt = tg_sgd(t.root, t.net, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.9f });
    tg_scope *const step = tg_train(t.root);
    tg_backward(step, tg_sum(step, tg_forward(step, t.net, tg_randn(step, 0, 1, 2, TG_DIM(1, SIDE))), (tg_axes){ 0 }));
    tg_update(step, t.opt);
    tg_pop(step);
    const double save = growth(&t, path, true), load = growth(&t, path, false);
    print_message("%d MiB: a save took %.1f more, a load %.1f\n", MIB, save, load);
    assert_true(save <= 16 && load <= MIB + SHADOW(MIB) + 16);
    tg_close(t.root);
}

/* ---- files of this version stay readable ---- */

#define VERSION_1 "tests/lib/files/data/version-1.safetensors"
static const going_on of_version_1 = { "", ADAM, TG_F32, 1 };

/* `test_checkpoint write`, once for each version of the format. */
static int write_file_of_this_version(void)
{
    trainee t = begin(&of_version_1, 1);
    tg_stateful all[4];
    train(&t, 7);
    tg_save_all(t.root, VERSION_1, things(&t, all), 4);
    expect_ok(t.root);
    printf("%016llx\n", (unsigned long long)lasting_bytes(t.net, t.opt));
    tg_close(t.root);
    return 0;
}

static void files_of_version_1_load(void **state)
{
    (void)state;
    trainee t = begin(&of_version_1, 2);
    tg_stateful all[4];
    tg_load_all(t.root, VERSION_1, things(&t, all), 4);
    expect_ok(t.root);
    assert_true(lasting_bytes(t.net, t.opt) == 0x6484b33871036750u);
    assert_int_equal(tg_steps(t.opt), 7);
    const tg_adam_values *v = &t.opt->config.adam; /* 0 meant the default there */
    assert_true(v->beta1 == 0.9 && v->beta2 == 0.999 && v->eps == 1e-8 && t.opt->schedule.pct_start == 0.3);
    train(&t, 1);
    tg_close(t.root);
}

/* ---- main ---- */

#define ROW(kind, dtype, threads) \
    { \
#kind " " #dtype " " #threads, kind, dtype, threads \
    }
static going_on rows[] = {
    ROW(SGD, TG_F32, 1),   ROW(MOMENTUM, TG_F32, 2), ROW(NESTEROV, TG_F32, 1),  ROW(ADAM, TG_F32, 2),
    ROW(ADAMW, TG_F32, 3), ROW(SGD, TG_BF16, 1),     ROW(MOMENTUM, TG_BF16, 2), ROW(NESTEROV, TG_BF16, 1),
    ROW(ADAM, TG_BF16, 2), ROW(ADAMW, TG_BF16, 3),
};

int main(int argc, char **argv)
{
    enum { ROWS = sizeof rows / sizeof *rows, OTHERS = 6 };
    struct CMUnitTest tests[ROWS + OTHERS] = {
        cmocka_unit_test(all_forms_are_the_same_file), cmocka_unit_test(names_all_that_does_not_fit),
        cmocka_unit_test(loads_what_matches),          cmocka_unit_test(nothing_changes_when_memory_is_short),
        cmocka_unit_test(needs_little_memory),         cmocka_unit_test(files_of_version_1_load),
    };
    setenv("TG_BACKEND", "ref,vector,brgemm", 1); /* their bits don't depend on the number of threads */
    if (argc > 1 && !strcmp(argv[1], "write")) return write_file_of_this_version();
    for (int i = 0; i < ROWS; i++)
        tests[OTHERS + i] = (struct CMUnitTest){ rows[i].name, resumes_as_if_never_stopped, NULL, NULL, &rows[i] };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
