/* dnnl_functions.h - the oneDNN functions in use, by their names in dnnl.h. The library is loaded on the first call of
 * tg_onednn_engine. */
#ifndef TG_DNNL_FUNCTIONS_H
#define TG_DNNL_FUNCTIONS_H
#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
#define TG_DNNL_OF_VERSION(F) \
    F(binary_primitive_desc_create) \
    F(convolution_backward_data_primitive_desc_create) \
    F(convolution_backward_weights_primitive_desc_create) \
    F(convolution_forward_primitive_desc_create) \
    F(memory_desc_clone) \
    F(memory_desc_create_with_strides) \
    F(memory_desc_create_with_tag) \
    F(memory_desc_destroy)
#else
#define TG_DNNL_OF_VERSION(F) \
    F(binary_desc_init) \
    F(dilated_convolution_backward_data_desc_init) \
    F(dilated_convolution_backward_weights_desc_init) \
    F(dilated_convolution_forward_desc_init) \
    F(memory_desc_init_by_strides) \
    F(memory_desc_init_by_tag) \
    F(primitive_desc_create)
#endif
#define TG_DNNL_FUNCTIONS(F) \
    TG_DNNL_OF_VERSION(F) \
    F(engine_create) \
    F(memory_create) \
    F(memory_desc_equal) \
    F(memory_desc_get_size) \
    F(memory_destroy) \
    F(memory_set_data_handle) \
    F(post_ops_append_eltwise) \
    F(post_ops_create) \
    F(post_ops_destroy) \
    F(primitive_attr_clone) \
    F(primitive_attr_create) \
    F(primitive_attr_destroy) \
    F(primitive_attr_set_post_ops) \
    F(primitive_attr_set_scratchpad_mode) \
    F(primitive_create) \
    F(primitive_desc_destroy) \
    F(primitive_desc_query) \
    F(primitive_desc_query_md) \
    F(primitive_destroy) \
    F(primitive_execute) \
    F(reorder_primitive_desc_create) \
    F(set_max_cpu_isa) \
    F(stream_create) \
    F(stream_destroy) \
    F(stream_wait) \
    F(version)

#define TG_DNNL_POINTER(name) __typeof__(dnnl_##name) *name;
extern struct tg_dnnl {
    TG_DNNL_FUNCTIONS(TG_DNNL_POINTER)
} tg_dnnl;

#define dnnl_engine_create                      tg_dnnl.engine_create
#define dnnl_memory_create                      tg_dnnl.memory_create
#define dnnl_memory_desc_equal                  tg_dnnl.memory_desc_equal
#define dnnl_memory_desc_get_size               tg_dnnl.memory_desc_get_size
#define dnnl_memory_destroy                     tg_dnnl.memory_destroy
#define dnnl_memory_set_data_handle             tg_dnnl.memory_set_data_handle
#define dnnl_post_ops_append_eltwise            tg_dnnl.post_ops_append_eltwise
#define dnnl_post_ops_create                    tg_dnnl.post_ops_create
#define dnnl_post_ops_destroy                   tg_dnnl.post_ops_destroy
#define dnnl_primitive_attr_clone               tg_dnnl.primitive_attr_clone
#define dnnl_primitive_attr_create              tg_dnnl.primitive_attr_create
#define dnnl_primitive_attr_destroy             tg_dnnl.primitive_attr_destroy
#define dnnl_primitive_attr_set_post_ops        tg_dnnl.primitive_attr_set_post_ops
#define dnnl_primitive_attr_set_scratchpad_mode tg_dnnl.primitive_attr_set_scratchpad_mode
#define dnnl_primitive_create                   tg_dnnl.primitive_create
#define dnnl_primitive_desc_destroy             tg_dnnl.primitive_desc_destroy
#define dnnl_primitive_desc_query               tg_dnnl.primitive_desc_query
#define dnnl_primitive_desc_query_md            tg_dnnl.primitive_desc_query_md
#define dnnl_primitive_destroy                  tg_dnnl.primitive_destroy
#define dnnl_primitive_execute                  tg_dnnl.primitive_execute
#define dnnl_reorder_primitive_desc_create      tg_dnnl.reorder_primitive_desc_create
#define dnnl_set_max_cpu_isa                    tg_dnnl.set_max_cpu_isa
#define dnnl_stream_create                      tg_dnnl.stream_create
#define dnnl_stream_destroy                     tg_dnnl.stream_destroy
#define dnnl_stream_wait                        tg_dnnl.stream_wait
#define dnnl_version                            tg_dnnl.version
#if DNNL_VERSION_MAJOR >= 3
#define dnnl_binary_primitive_desc_create                    tg_dnnl.binary_primitive_desc_create
#define dnnl_convolution_backward_data_primitive_desc_create tg_dnnl.convolution_backward_data_primitive_desc_create
#define dnnl_convolution_backward_weights_primitive_desc_create \
    tg_dnnl.convolution_backward_weights_primitive_desc_create
#define dnnl_convolution_forward_primitive_desc_create tg_dnnl.convolution_forward_primitive_desc_create
#define dnnl_memory_desc_clone                         tg_dnnl.memory_desc_clone
#define dnnl_memory_desc_create_with_strides           tg_dnnl.memory_desc_create_with_strides
#define dnnl_memory_desc_create_with_tag               tg_dnnl.memory_desc_create_with_tag
#define dnnl_memory_desc_destroy                       tg_dnnl.memory_desc_destroy
#else
#define dnnl_binary_desc_init                               tg_dnnl.binary_desc_init
#define dnnl_dilated_convolution_backward_data_desc_init    tg_dnnl.dilated_convolution_backward_data_desc_init
#define dnnl_dilated_convolution_backward_weights_desc_init tg_dnnl.dilated_convolution_backward_weights_desc_init
#define dnnl_dilated_convolution_forward_desc_init          tg_dnnl.dilated_convolution_forward_desc_init
#define dnnl_memory_desc_init_by_strides                    tg_dnnl.memory_desc_init_by_strides
#define dnnl_memory_desc_init_by_tag                        tg_dnnl.memory_desc_init_by_tag
#define dnnl_primitive_desc_create                          tg_dnnl.primitive_desc_create
#endif
#endif
