/* shape_text.h - shapes of convolutions and pooling windows, written as in oneDNN's benchdnn:
 *
 *     n2 c16-17 7x5 k3 s2 p1 bias: why the row is there
 *
 *     n2              images
 *     c16-17, c16     channels of x and y
 *     7x5             height and width of x
 *     k3 s2 p1 d2     kernel, stride, padding and dilation; k3x2: height and width; s1 p0 d1 unless given
 *     g4              groups
 *     y4x5            height and width of y, where the kernel doesn't determine them
 *     bias            the convolution has a bias
 *     exclude_pad     the pooling window averages over pixels of the image only
 *
 * in any order.  A table's rows are such texts, so that a row's name cannot differ from its shape. */
#ifndef TG_SHAPE_TEXT_H
#define TG_SHAPE_TEXT_H
#include "attr.h"

typedef struct {
    int64_t n, in, out, image[2], kernel[2], stride[2], pad[2], dilation[2], groups;
    int64_t out_image[2]; /* height and width of y */
    bool bias, exclude_pad;
} conv_shape;

bool read_shape(const char *text, conv_shape *s); /* false if the text is malformed */
conv_shape parse_shape(const char *text);         /* aborts if it is */
tg_conv2d_config conv2d_config_of(const conv_shape *s);
tg_conv2d_attr conv2d_attr_of(const conv_shape *s);
tg_pool2d_attr pool2d_attr_of(const conv_shape *s);
#endif
