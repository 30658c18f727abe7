/* dnnl_shim.h - the part of oneDNN's C interface in use, for versions 2.6 to 2.7 and 3.x.
 *
 * Version 3 made memory descriptors opaque and merged "describe the operation" with "choose an implementation". All
 * differences between the two are in this file, chosen at compile time. Dilations are oneDNN's: 0 means dense. A tg_md
 * must be released with tg_md_free. */
#ifndef TG_DNNL_SHIM_H
#define TG_DNNL_SHIM_H
#include "dnnl_functions.h"

#if DNNL_VERSION_MAJOR < 2 || (DNNL_VERSION_MAJOR == 2 && DNNL_VERSION_MINOR < 6)
#error "tilegrad wants oneDNN 2.6 or newer"
#endif

typedef dnnl_memory_desc_t tg_md; /* 2: the descriptor itself; 3: a handle */

/* Common to the three passes of a convolution. */
typedef struct {
    dnnl_alg_kind_t how; /* dnnl_convolution_direct, _winograd */
    dnnl_dims_t stride, dilation, pad_before, pad_after;
} tg_window;

#if DNNL_VERSION_MAJOR >= 3

/* ---- memory descriptors; strides NULL: any format ---- */
static inline dnnl_status_t tg_md_new(tg_md *md, dnnl_data_type_t dtype, int rank, const dnnl_dims_t dims,
                                      const dnnl_dims_t strides)
{
    return strides ? dnnl_memory_desc_create_with_strides(md, rank, dims, dtype, strides)
                   : dnnl_memory_desc_create_with_tag(md, rank, dims, dtype, dnnl_format_tag_any);
}
static inline dnnl_status_t tg_md_query(tg_md *md, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    return dnnl_memory_desc_clone(md, dnnl_primitive_desc_query_md(pd, what, 0));
}
static inline void tg_md_free(tg_md *md) { dnnl_memory_desc_destroy(*md); }
static inline int tg_md_equal(const tg_md *a, const tg_md *b) { return dnnl_memory_desc_equal(*a, *b); }
static inline size_t tg_md_bytes(const tg_md *md) { return dnnl_memory_desc_get_size(*md); }
static inline dnnl_status_t tg_memory_new(dnnl_memory_t *memory, const tg_md *md, dnnl_engine_t engine)
{
    return dnnl_memory_create(memory, *md, engine, DNNL_MEMORY_NONE);
}

/* ---- attributes ---- */
static inline dnnl_status_t tg_append_relu(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_eltwise(post_ops, dnnl_eltwise_relu, 0.0f, 0.0f);
}

/* ---- implementations of an operation on given descriptors; b may be NULL ---- */
static inline dnnl_status_t tg_pd_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_md *from,
                                          const tg_md *to, const_dnnl_primitive_attr_t attr)
{
    return dnnl_reorder_primitive_desc_create(pd, *from, engine, *to, engine, attr);
}
static inline dnnl_status_t tg_pd_add(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_md *a, const tg_md *b,
                                      const tg_md *sum, const_dnnl_primitive_attr_t attr)
{
    return dnnl_binary_primitive_desc_create(pd, engine, dnnl_binary_add, *a, *b, *sum, attr);
}
static inline dnnl_status_t tg_pd_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                       const tg_md *x, const tg_md *w, const tg_md *b, const tg_md *y,
                                       const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_forward_primitive_desc_create(pd, engine, dnnl_forward_training, win->how, *x, *w,
                                                          b ? *b : NULL, *y, win->stride, win->dilation,
                                                          win->pad_before, win->pad_after, attr);
}
static inline dnnl_status_t tg_pd_conv_grad_x(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                              const tg_md *gx, const tg_md *w, const tg_md *gy,
                                              const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, win->how, *gx, *w, *gy, win->stride, win->dilation, win->pad_before, win->pad_after, forward, attr);
}
static inline dnnl_status_t tg_pd_conv_grad_w(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                              const tg_md *x, const tg_md *gw, const tg_md *gy,
                                              const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, win->how, *x, *gw, NULL, *gy,
                                                                   win->stride, win->dilation, win->pad_before,
                                                                   win->pad_after, forward, attr);
}

#else /* 2.6, 2.7 */

static inline dnnl_status_t tg_md_new(tg_md *md, dnnl_data_type_t dtype, int rank, const dnnl_dims_t dims,
                                      const dnnl_dims_t strides)
{
    return strides ? dnnl_memory_desc_init_by_strides(md, rank, dims, dtype, strides)
                   : dnnl_memory_desc_init_by_tag(md, rank, dims, dtype, dnnl_format_tag_any);
}
static inline dnnl_status_t tg_md_query(tg_md *md, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    *md = *dnnl_primitive_desc_query_md(pd, what, 0);
    return dnnl_success;
}
static inline void tg_md_free(tg_md *md) { (void)md; }
static inline int tg_md_equal(const tg_md *a, const tg_md *b) { return dnnl_memory_desc_equal(a, b); }
static inline size_t tg_md_bytes(const tg_md *md) { return dnnl_memory_desc_get_size(md); }
static inline dnnl_status_t tg_memory_new(dnnl_memory_t *memory, const tg_md *md, dnnl_engine_t engine)
{
    return dnnl_memory_create(memory, md, engine, DNNL_MEMORY_NONE);
}

static inline dnnl_status_t tg_append_relu(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_eltwise(post_ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
}

static inline dnnl_status_t tg_pd_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_md *from,
                                          const tg_md *to, const_dnnl_primitive_attr_t attr)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, attr);
}
static inline dnnl_status_t tg_pd_add(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_md *a, const tg_md *b,
                                      const tg_md *sum, const_dnnl_primitive_attr_t attr)
{
    dnnl_binary_desc_t what;
    dnnl_status_t status = dnnl_binary_desc_init(&what, dnnl_binary_add, a, b, sum);
    return status ? status : dnnl_primitive_desc_create(pd, &what, attr, engine, NULL);
}
static inline dnnl_status_t tg_pd_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                       const tg_md *x, const tg_md *w, const tg_md *b, const tg_md *y,
                                       const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t what;
    dnnl_status_t status =
        dnnl_dilated_convolution_forward_desc_init(&what, dnnl_forward_training, win->how, x, w, b, y, win->stride,
                                                   win->dilation, win->pad_before, win->pad_after);
    return status ? status : dnnl_primitive_desc_create(pd, &what, attr, engine, NULL);
}
static inline dnnl_status_t tg_pd_conv_grad_x(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                              const tg_md *gx, const tg_md *w, const tg_md *gy,
                                              const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t what;
    dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
        &what, win->how, gx, w, gy, win->stride, win->dilation, win->pad_before, win->pad_after);
    return status ? status : dnnl_primitive_desc_create(pd, &what, attr, engine, forward);
}
static inline dnnl_status_t tg_pd_conv_grad_w(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tg_window *win,
                                              const tg_md *x, const tg_md *gw, const tg_md *gy,
                                              const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t what;
    dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &what, win->how, x, gw, NULL, gy, win->stride, win->dilation, win->pad_before, win->pad_after);
    return status ? status : dnnl_primitive_desc_create(pd, &what, attr, engine, forward);
}
#endif
#endif
