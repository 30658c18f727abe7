/* test_zero.c - an explicit or loaded 0 is 0 and not the default: optimizers and schedules in files. */
#include "tensor_files.h"
#include "expect.h"
#include "update.h"
#include <string.h>

/* ---- 0 is a value ---- */

#define PARTS(version) \
    "{\"__metadata__\":{\"optim/kind\":\"adam\"," version "\"optim/lr\":\"0.0\",\"optim/beta1\":\"0\"," \
    "\"optim/beta2\":\"0.0\",\"optim/eps\":\"0\",\"optim/clip_norm\":\"0\",\"optim/clip_value\":\"0\",\"optim/groups\":\"1\"," \
    "\"optim/group/0/lr_scale\":\"0\",\"optim/group/0/weight_decay\":\"0\",\"optim/schedule/kind\":\"one-cycle\"," \
    "\"optim/schedule/total\":\"9\",\"optim/schedule/warmup\":\"0\",\"optim/schedule/every\":\"0\"," \
    "\"optim/schedule/warmup_from\":\"0\",\"optim/schedule/gamma\":\"0\",\"optim/schedule/lr_end\":\"0\"," \
    "\"optim/schedule/pct_start\":\"0\",\"optim/schedule/div_factor\":\"25\",\"optim/schedule/final_div_factor\":\"10\"," \
    "\"optim/steps\":\"0\",\"optim/steps/weight\":\"0\",\"random/seed\":\"0\",\"random/counter\":\"0\"}," \
    "\"weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}"

static void zeros_of_other_programs_are_zeros(void **state)
{
    static const char *const header[] = { PARTS(""), PARTS("\"optim/format\":\"2\",") };
    (void)state;
    for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
        tg_scope *s = tg_open();
        tg_module *net = tg_layer_linear(s, (tg_layer_linear_config){ .in = 1, .out = 1, .no_bias = true });
        tg_optim *opt = tg_adam(s, net, (tg_adam_config){ .lr = 1 });
        put_safetensors("zeros.safetensors", header[i], strlen(header[i]), 4);
        tg_load(s, data_path("zeros.safetensors"), net, opt);
        expect_ok(s);
        const tg_adam_values *v = &opt->config.adam;
        assert_true(v->beta1 == 0 && v->beta2 == 0 && v->eps == 0 && opt->lr == 0);
        assert_true(opt->group.lr_scale == 0 && opt->schedule.pct_start == 0 && opt->schedule.div_factor == 25);
        tg_close(s);
    }
}

static void zeros_last(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_module *net = tg_layer_linear(s, (tg_layer_linear_config){ .in = 1, .out = 1 });
    tg_optim *a = tg_adamw(s, net, (tg_adam_config){ .lr = TG_ZERO, .beta1 = TG_ZERO, .eps = TG_ZERO });
    tg_optim *b = tg_adamw(s, net, (tg_adam_config){ .lr = 1, .beta2 = 0.5f });
    tg_save(s, data_path("zeros.safetensors"), net, a);
    tg_load(s, data_path("zeros.safetensors"), net, b);
    expect_ok(s);
    assert_memory_equal(&a->config.adam, &b->config.adam, sizeof a->config.adam);
    assert_true(b->config.adam.beta1 == 0 && b->config.adam.beta2 == 0.999 && b->config.adam.eps == 0 && b->lr == 0);
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_of_other_programs_are_zeros),
        cmocka_unit_test(zeros_last),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
