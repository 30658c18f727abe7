/* samples_core.c - rows of the core's own operators. */
#include "core_ops.h"
#include "op_samples.h"

op_sample samples_add[] = { { "scalar", { F(1), F(1) }, .attr = NULL },
                            { "same_shape", { F(3, 17, 5), F(3, 17, 5) }, .attr = NULL },
                            { "over_a_task", { F(33, 511), F(33, 511) }, .attr = NULL },
                            { "vector_to_images", { F(2, 3, 4, 15), F(15) }, .attr = NULL },
                            { "images_to_vector", { F(16), F(2, 3, 4, 16) }, .attr = NULL },
                            { "both_broadcast", { F(3, 1, 5), F(1, 4, 5) }, .attr = NULL },
                            { "rank_0", { F(4, 3), { 1, TG_F32, 0, { 0 }, FILL_UNIFORM, 0, 0 } }, .attr = NULL },
                            { 0 } };

op_sample samples_sum_to[] = {
    { "to_vector", { F(2, 3, 4, 15) }, .attr = &(tg_sum_to_attr){ 1, { -1 } } },
    { "to_scalar", { F(31, 17) }, .attr = &(tg_sum_to_attr){ 0, { 0 } } },
    { "to_ones", { F(2, 5) }, .attr = &(tg_sum_to_attr){ 2, { 1, 1 } } },
    { "middle_axis", { F(3, 4, 5) }, .attr = &(tg_sum_to_attr){ 3, { -1, 1, -1 } } },
    { "last_axis", { F(16, 33) }, .attr = &(tg_sum_to_attr){ 2, { -1, 1 } } },
    { "wide_rows", { F(9, 1000) }, .attr = &(tg_sum_to_attr){ 1, { -1 } } },
    { "images_to_channels", { F(2, 9, 7, 33) }, .attr = &(tg_sum_to_attr){ 4, { -1, 1, 1, -1 } } },
    { "images_to_pixels", { F(2, 9, 7, 33) }, .attr = &(tg_sum_to_attr){ 4, { -1, -1, -1, 1 } } },
    { "images_to_lines", { F(3, 5, 7, 40) }, .attr = &(tg_sum_to_attr){ 4, { 1, -1, 1, 1 } } },
    { "channels_first", { F(3, 17, 9, 8) }, .attr = &(tg_sum_to_attr){ 3, { -1, 1, 1 } } },
    { "every_second_axis", { F(3, 4, 5, 300) }, .attr = &(tg_sum_to_attr){ 4, { 1, -1, 1, -1 } } },
    { "nothing_to_sum", { F(3, 7) }, .attr = &(tg_sum_to_attr){ 2, { -1, -1 } } },
    { 0 }
};

op_sample samples_accumulate[] = { { "vector", { F(17), F(17) }, .attr = NULL },
                                   { "over_a_task", { F(33, 511), F(33, 511) }, .attr = NULL },
                                   { 0 } };

op_sample samples_fill[] = { { "scalar", { NONE }, .attr = &(tg_fill_attr){ 1, { 0, { 0 } } } },
                             { "over_a_task", { NONE }, .attr = &(tg_fill_attr){ -2.5, { 2, { 33, 511 } } } },
                             { 0 } };

op_sample samples_copy[] = {
    { "small", { F(3, 5) }, .attr = NULL },
    { "over_a_task", { F(33, 511) }, .attr = NULL },
    { "classes", { CLASSES(1000, 17) }, .attr = NULL, .grad_tolerance = -1 }, /* whole numbers have no gradient */
    { 0 }
};

op_sample samples_cast[] = {
    { "to_f32", { F(3, 5) }, .attr = &(tg_cast_attr){ TG_F32 } },
    { "over_a_task", { F(33, 511) }, .attr = &(tg_cast_attr){ TG_F32 } },
    { "to_bf16", { F(3, 5) }, .attr = &(tg_cast_attr){ TG_BF16 }, .grad_tolerance = -1 }, /* a staircase */
    { "from_i64", { CLASSES(1000, 17) }, .attr = &(tg_cast_attr){ TG_F32 }, .grad_tolerance = -1 },
    { "to_u8", { FR(0, 200, 17) }, .attr = &(tg_cast_attr){ TG_U8 }, .grad_tolerance = -1 },
    { 0 }
};

op_sample samples_detach[] = {
    { "small", { F(3, 5) }, .attr = NULL, .grad_tolerance = -1 }, /* backward stops at it: that is its purpose */
    { 0 }
};
