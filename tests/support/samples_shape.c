/* samples_shape.c - rows for reductions, and for operators that only move elements. */
#include "op_samples.h"

#define SAMPLES(op) \
    extern op_sample samples_##op[]; \
    op_sample samples_##op[]
#define WITH(name, a, ...) \
    { \
        name, { __VA_ARGS__ }, a, 0, 0 \
    }
#define VALUES(name, a, ...) \
    { \
        name, { __VA_ARGS__ }, a, 0, -1 \
    } /* no gradcheck: ties, or not f32 */
#define WHOLE(low, high, ...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_CLASSES, low, high \
    }
#define BYTES(...) \
    { \
        1, TG_U8, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, 256 \
    }
#define BF(...) \
    { \
        1, TG_BF16, DIMS_(__VA_ARGS__), FILL_UNIFORM, 0, 0 \
    }
#define NUMBER \
    { \
        1, TG_F32, 0, { 0 }, FILL_UNIFORM, 1, 2 \
    }

/* ---- reductions ---- */

#define OVER(...) (&(const tg_reduce_attr){ __VA_ARGS__ })
#define REDUCTIONS(fill) \
    WITH("one", OVER(1, false), fill(1)), WITH("all", OVER(7, false), fill(3, 5, 7)), \
        WITH("all_keep", OVER(7, true), fill(3, 5, 7)), WITH("first", OVER(1, false), fill(31, 17)), \
        WITH("last", OVER(2, false), fill(17, 33)), WITH("last_keep", OVER(2, true), fill(5, 16)), \
        WITH("middle", OVER(2, true), fill(3, 15, 16)), WITH("spatial", OVER(6, false), fill(2, 7, 7, 33)), \
        WITH("apart", OVER(5, false), fill(3, 4, 5)), WITH("apart_by_ones", OVER(5, false), fill(3, 1, 5, 4)), \
        WITH("images_and_channels", OVER(9, true), fill(2, 3, 3, 5)), WITH("none", OVER(0, false), fill(3, 4)), \
        WITH("rank0", OVER(0, false), NUMBER), VALUES("bf16", OVER(1, false), BF(5, 3))

SAMPLES(sum) = { REDUCTIONS(F),
                 WITH("long", OVER(1, false), F(70000)),
                 WITH("many_short", OVER(2, false), F(9000, 5)),
                 WITH("pieces", OVER(1, false), F(2500, 33)),
                 WITH("columns", OVER(1, false), F(90, 1100)),
                 WITH("pieces_each", OVER(2, false), F(3, 1300, 16)),
                 { 0 } };
SAMPLES(mean) = { REDUCTIONS(F),
                  WITH("long", OVER(1, false), F(70000)),
                  WITH("many_short", OVER(2, false), F(9000, 5)),
                  WITH("pieces", OVER(1, false), F(2500, 33)),
                  WITH("columns", OVER(1, false), F(90, 1100)),
                  WITH("pieces_each", OVER(2, false), F(3, 1300, 16)),
                  { 0 } };
SAMPLES(max) = { REDUCTIONS(FD),
                 VALUES("ties", OVER(1, false), WHOLE(0, 3, 20, 5)),
                 VALUES("parts", OVER(3, false), F(431, 305)),
                 VALUES("parts_tie", OVER(1, true), WHOLE(0, 99, 65537)),
                 { 0 } };
SAMPLES(max_grad) = { WITH("last", OVER(2, false), F(7), WHOLE(-2, 3, 7, 9), WHOLE(2, 3, 7)),
                      WITH("first_keep", OVER(1, true), F(1, 9), WHOLE(-2, 3, 7, 9), WHOLE(2, 3, 1, 9)),
                      WITH("apart", OVER(5, false), F(4), WHOLE(0, 2, 3, 4, 5), WHOLE(1, 2, 4)),
                      WITH("parts", OVER(1, true), F(1), WHOLE(-2, 3, 131075), WHOLE(2, 3, 1)),
                      WITH("parts_without_ties", OVER(3, true), F(1, 1), WHOLE(-2, 3, 257, 256), WHOLE(3, 4, 1, 1)),
                      { 0 } };

#define AXIS(axis) (&(const tg_axis_attr){ axis })
SAMPLES(argmax) = { WITH("one", AXIS(0), F(1)),
                    WITH("vector", AXIS(0), F(33)),
                    WITH("classes", AXIS(1), F(17, 10)),
                    WITH("first", AXIS(0), F(15, 16)),
                    WITH("middle", AXIS(1), F(3, 7, 5)),
                    WITH("ties", AXIS(1), WHOLE(0, 3, 9, 17)),
                    { 0 } };

#define TO(...) (&(const tg_shape_attr){ DIMS_(__VA_ARGS__) })
SAMPLES(expand) = { WITH("rank0", TO(3, 5), NUMBER),
                    WITH("same", TO(3, 5), F(3, 5)),
                    WITH("in_front", TO(4, 17), F(17)),
                    WITH("column", TO(15, 16), F(15, 1)),
                    WITH("spatial", TO(2, 5, 5, 33), F(2, 1, 1, 33)),
                    WITH("blocks", TO(1200, 31), F(31)),
                    VALUES("bytes", TO(3, 5), BYTES(1, 5)),
                    { 0 } };

/* ---- views and permutations ---- */

SAMPLES(reshape) = { WITH("same", TO(3, 5), F(3, 5)),
                     WITH("flat", TO(15), F(3, 5)),
                     WITH("split", TO(4, 2, 2), F(16)),
                     WITH("open", TO(-1, 6), F(4, 3, 2)),
                     WITH("open_last", TO(2, -1), F(2, 3, 5)),
                     WITH("open_one", TO(4, -1), F(4)),
                     WITH("to_number", (&(const tg_shape_attr){ 0, { 0 } }), F(1, 1)),
                     WITH("from_number", TO(1, 1), NUMBER),
                     VALUES("bytes", TO(6), BYTES(2, 3)),
                     { 0 } };

#define ORDER(n, ...) (&(const tg_permute_attr){ n, { __VA_ARGS__ } })
SAMPLES(permute) = { WITH("rank0", ORDER(0, 0), NUMBER),
                     WITH("one", ORDER(1, 0), F(1)),
                     WITH("same", ORDER(3, 0, 1, 2), F(3, 4, 5)),
                     WITH("matrix", ORDER(2, 1, 0), F(31, 33)),
                     WITH("matrix_tiles", ORDER(2, 1, 0), F(64, 32)),
                     WITH("tall", ORDER(2, 1, 0), F(700, 3)),
                     WITH("wide", ORDER(2, 1, 0), F(3, 700)),
                     WITH("channels_first", ORDER(4, 0, 3, 1, 2), F(2, 5, 7, 17)),
                     WITH("channels_last", ORDER(4, 0, 2, 3, 1), F(2, 17, 5, 7)),
                     WITH("few", ORDER(4, 0, 3, 1, 2), F(3, 4, 4, 16)),
                     WITH("rows", ORDER(3, 1, 0, 2), F(5, 7, 16)),
                     WITH("rows_of_two", ORDER(4, 2, 0, 1, 3), F(3, 4, 5, 2)),
                     WITH("reversed", ORDER(4, 3, 2, 1, 0), F(2, 3, 4, 5)),
                     WITH("ones", ORDER(4, 3, 1, 0, 2), F(1, 5, 1, 6)),
                     WITH("rank8", ORDER(8, 7, 2, 5, 0, 1, 6, 3, 4), F(2, 1, 3, 2, 2, 1, 2, 3)),
                     WITH("tasks", ORDER(3, 0, 2, 1), F(5, 90, 100)),
                     WITH("row_tasks", ORDER(3, 1, 0, 2), F(40, 30, 33)),
                     VALUES("bytes", ORDER(2, 1, 0), BYTES(5, 7)),
                     VALUES("i64", ORDER(2, 1, 0), CLASSES(99, 3, 4)),
                     { 0 } };

/* ---- pieces ---- */

SAMPLES(concat) = { WITH("alone", AXIS(0), F(3, 4)),
                    WITH("rows", AXIS(0), F(3, 4), F(1, 4), F(2, 4)),
                    WITH("columns", AXIS(1), F(5, 3), F(5, 16)),
                    WITH("channels", AXIS(3), F(2, 3, 3, 15), F(2, 3, 3, 1), F(2, 3, 3, 17)),
                    WITH("middle", AXIS(1), F(3, 2, 5), F(3, 4, 5)),
                    WITH("blocks", AXIS(1), F(300, 50), F(300, 33)),
                    WITH("ten", AXIS(0), F(1), F(2), F(3), F(1), F(2), F(3), F(1), F(2), F(3), F(1)),
                    VALUES("bytes", AXIS(1), BYTES(2, 3), BYTES(2, 1)),
                    { 0 } };

#define PART(...) (&(const tg_slice_attr){ __VA_ARGS__ })
SAMPLES(slice) = { WITH("whole", PART(0, 0, 5), F(5)),
                   WITH("first", PART(0, 0, 2), F(5, 3)),
                   WITH("last", PART(0, 3, 5), F(5, 3)),
                   WITH("columns", PART(1, 1, 17), F(15, 33)),
                   WITH("channel", PART(3, 2, 3), F(2, 3, 3, 4)),
                   WITH("middle", PART(1, 1, 4), F(3, 5, 16)),
                   WITH("blocks", PART(1, 3, 90), F(300, 100)),
                   VALUES("bytes", PART(1, 1, 3), BYTES(2, 5)),
                   { 0 } };

#define AROUND(n, ...) (&(const tg_pad_attr){ n, __VA_ARGS__ })
SAMPLES(pad) = { WITH("none", AROUND(2, { 0 }, { 0 }, 7), F(3, 4)),
                 WITH("rank0", AROUND(0, { 0 }, { 0 }, 7), NUMBER),
                 WITH("vector", AROUND(1, { 2 }, { 3 }, -1), F(15)),
                 WITH("rows", AROUND(2, { 1, 0 }, { 2, 0 }, 0), F(3, 16)),
                 WITH("columns", AROUND(2, { 0, 1 }, { 0, 2 }, 0.5), F(5, 17)),
                 WITH("images", AROUND(4, { 0, 1, 2, 0 }, { 0, 2, 1, 0 }, 0), F(2, 3, 4, 5)),
                 WITH("channels", AROUND(4, { 0, 0, 0, 1 }, { 0, 0, 0, 2 }, 3), F(2, 3, 3, 4)),
                 WITH("all", AROUND(3, { 1, 2, 3 }, { 3, 2, 1 }, 2), F(2, 3, 4)),
                 WITH("blocks", AROUND(3, { 0, 4, 0 }, { 0, 4, 0 }, 0), F(3, 92, 100)),
                 VALUES("bytes", AROUND(2, { 1, 1 }, { 1, 1 }, 255), BYTES(2, 3)),
                 { 0 } };

/* ---- resizing images ---- */

#define SIZE(h, w, oh, ow, bilinear, corners) (&(const tg_upsample_attr){ { h, w }, { oh, ow }, bilinear, corners })
#define RESIZE(name, n, h, w, c, oh, ow) \
    WITH(name "_nearest", SIZE(h, w, oh, ow, false, false), F(n, h, w, c)), \
        WITH(name "_bilinear", SIZE(h, w, oh, ow, true, false), F(n, h, w, c)), \
        WITH(name "_align_corners", SIZE(h, w, oh, ow, true, true), F(n, h, w, c))
#define RESIZE_GRAD(name, n, h, w, c, oh, ow) \
    WITH(name "_nearest", SIZE(h, w, oh, ow, false, false), F(n, oh, ow, c)), \
        WITH(name "_bilinear", SIZE(h, w, oh, ow, true, false), F(n, oh, ow, c)), \
        WITH(name "_align_corners", SIZE(h, w, oh, ow, true, true), F(n, oh, ow, c))
SAMPLES(upsample) = { RESIZE("twice", 2, 3, 4, 17, 6, 8),
                      RESIZE("uneven", 1, 3, 5, 3, 7, 8),
                      RESIZE("smaller", 2, 7, 8, 1, 3, 5),
                      RESIZE("same", 1, 4, 3, 16, 4, 3),
                      RESIZE("from_one", 1, 1, 1, 5, 3, 4),
                      RESIZE("to_one", 1, 3, 4, 5, 1, 1),
                      { 0 } };
SAMPLES(upsample_grad) = { RESIZE_GRAD("twice", 2, 3, 4, 17, 6, 8),
                           RESIZE_GRAD("uneven", 1, 3, 5, 3, 7, 8),
                           RESIZE_GRAD("smaller", 2, 7, 8, 1, 3, 5),
                           RESIZE_GRAD("same", 1, 4, 3, 16, 4, 3),
                           RESIZE_GRAD("from_one", 1, 1, 1, 5, 3, 4),
                           RESIZE_GRAD("to_one", 1, 3, 4, 5, 1, 1),
                           { 0 } };
