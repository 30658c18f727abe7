/* test_zoo.c - the models against PyTorch's: names, shapes, results (tests/oracle/models.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "models.h"
#include "wave.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- names and shapes ---- */

/* PyTorch's convolutions are OIHW. */
static void append_shape(char *text, const tg_tensor *t)
{
    const int order[] = { 0, t->rank == 4 ? 3 : 1, t->rank == 4 ? 1 : 2, t->rank == 4 ? 2 : 3 };
    if (t->rank == 0) strcat(text, " scalar");
    for (int i = 0; i < t->rank; i++)
        sprintf(text + strlen(text), "%s%lld", i ? "x" : " ", (long long)t->dim[order[i]]);
}

static void expect_entry(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    const char *const **state = context;
    char text[256];
    (void)owner;
    snprintf(text, 128, "%s", name);
    append_shape(text, slot->tensor);
    if (!**state || strcmp(text, **state) != 0) fail_msg("%s, torchvision has %s", text, **state ? **state : "no more");
    ++*state;
}

static const struct {
    const char *name, *const *state; /* "conv1.weight 64x3x3x3", ..., NULL */
    int64_t numbers;
    int classes, size, channels; /* the images' */
    const double *logits;        /* the first LOGITS of two images */
} want[] = {
    { "lenet", lenet_state, lenet_numbers, 10, 28, 1, lenet_logits },
    { "mlp", mlp_state, mlp_numbers, 10, 28, 1, mlp_logits },
    { "resnet20", resnet20_state, resnet20_numbers, 10, 64, 3, resnet20_logits },
    { "resnet18c", resnet18c_state, resnet18c_numbers, 10, 64, 3, resnet18c_logits },
    { "resnet50", resnet50_state, resnet50_numbers, 1000, 64, 3, resnet50_logits },
};
enum { MODELS = sizeof want / sizeof *want, LOGITS = sizeof lenet_logits / sizeof *lenet_logits };

static void names_and_shapes_are_torchvisions(void **unused)
{
    (void)unused;
    for (int i = 0; i < MODELS; i++) {
        tg_scope *root = tg_open();
        tg_module *net = tg_find_model(want[i].name)->make(root, want[i].classes);
        const char *const *state = want[i].state;
        expect_ok(root);
        tg_each_param(net, expect_entry, &state);
        assert_null(*state);
        assert_int_equal(tg_param_count(net), want[i].numbers);
        tg_close(root);
    }
}

/* With batch statistics.  Deep networks amplify rounding errors, but a wrong network is off by far more. */
static void results_are_torchvisions(void **unused)
{
    (void)unused;
    for (int i = 0; i < MODELS; i++) {
        tg_scope *root = tg_open(), *step = tg_push_modes(root, (tg_modes){ .train = true });
        tg_module *net = tg_find_model(want[i].name)->make(root, want[i].classes);
        const int size = want[i].size;
        fill_params(root, net, 0.3);
        tg_tensor *x = new_wave(step, (wave){ 0, 1, 0 }, 4, TG_DIM(2, size, size, want[i].channels));
        const float *y = tg_data(tg_forward(step, net, x));
        double most = 0, error = 0;
        expect_ok(step);
        for (int k = 0; k < LOGITS; k++) {
            most = fmax(most, fabs(want[i].logits[k]));
            error = fmax(error, fabs((double)y[k] - want[i].logits[k]));
        }
        if (!(error <= 1e-3 * most)) fail_msg("%s: logits differ by %g of %g", want[i].name, error, most);
        tg_close(root);
    }
}

static void takes_images_of_its_size(void **unused)
{
    int count;
    (void)unused;
    const tg_model_info *model = tg_models(&count);
    assert_int_equal(count, 5);
    assert_null(tg_find_model("vgg"));
    for (int i = 0; i < count; i++) {
        tg_scope *root = tg_open(), *eval = tg_push(root);
        const int64_t *input = model[i].input;
        tg_module *net = model[i].make(root, 7);
        tg_tensor *y = tg_forward(eval, net, tg_fill(eval, 0, 4, TG_DIM(2, input[0], input[1], input[2])));
        expect_ok(eval);
        tg_shape_text shape;
        assert_string_equal(tg_shape(y, &shape), "[2, 7]");
        tg_forward(eval, net, tg_fill(eval, 0, 4, TG_DIM(2, input[0] + 40, input[1], input[2] + 1)));
        assert_false(tg_ok(eval));
        tg_close(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_shapes_are_torchvisions),
        cmocka_unit_test(results_are_torchvisions),
        cmocka_unit_test(takes_images_of_its_size),
    };
    return cmocka_run_group_tests_name("zoo", tests, NULL, NULL) != 0;
}
