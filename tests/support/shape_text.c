/* shape_text.c - see shape_text.h. */
#include "shape_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char **at, int64_t *v)
{
    char *end;
    *v = strtoll(*at, &end, 10);
    if (end == *at) return false;
    *at = end;
    return true;
}

/* One number for both, or two with `separator` between them; false if there is none. */
static bool read_pair(const char **at, char separator, int64_t v[2])
{
    if (!read_number(at, &v[0])) return false;
    v[1] = v[0];
    if (**at != separator) return true;
    ++*at;
    return read_number(at, &v[1]);
}

static bool read_flag(const char **at, const char *name, bool *flag)
{
    const size_t length = strlen(name);
    if (strncmp(*at, name, length) != 0) return false;
    *at += length;
    *flag = true;
    return true;
}

static bool read_channels(const char **at, conv_shape *s)
{
    int64_t channels[2];
    if (!read_pair(at, '-', channels)) return false;
    s->in = channels[0];
    s->out = channels[1];
    return true;
}

/* The field that begins with this letter. */
static bool read_field(const char **at, conv_shape *s)
{
    const char letter = *(*at)++;
    switch (letter) {
    case 'n': return read_number(at, &s->n);
    case 'c': return read_channels(at, s);
    case 'k': return read_pair(at, 'x', s->kernel);
    case 's': return read_pair(at, 'x', s->stride);
    case 'p': return read_pair(at, 'x', s->pad);
    case 'd': return read_pair(at, 'x', s->dilation);
    case 'g': return read_number(at, &s->groups);
    case 'y': return read_pair(at, 'x', s->out_image);
    default: return false;
    }
}

static bool read_word(const char **at, conv_shape *s)
{
    if (**at >= '0' && **at <= '9') return read_pair(at, 'x', s->image);
    return read_flag(at, "bias", &s->bias) || read_flag(at, "exclude_pad", &s->exclude_pad) || read_field(at, s);
}

static bool read_words(const char *at, conv_shape *s)
{
    for (;;) {
        if (!read_word(&at, s)) return false;
        if (*at == ':' || *at == '\0') return true;
        if (*at++ != ' ') return false;
    }
}

static bool complete(const conv_shape *s)
{
    return s->n > 0 && s->in > 0 && s->out > 0 && s->image[0] > 0 && s->image[1] > 0 && s->out_image[0] > 0 &&
           s->out_image[1] > 0;
}

bool read_shape(const char *text, conv_shape *s)
{
    *s = (conv_shape){ .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    if (!read_words(text, s) || s->stride[0] < 1 || s->stride[1] < 1) return false;
    for (int i = 0; i < 2; i++) {
        const int64_t covered = s->dilation[i] * (s->kernel[i] - 1) + 1, padded = s->image[i] + 2 * s->pad[i];
        if (!s->out_image[i] && padded >= covered) s->out_image[i] = (padded - covered) / s->stride[i] + 1;
    }
    return complete(s);
}

conv_shape parse_shape(const char *text)
{
    conv_shape s;
    if (!read_shape(text, &s)) {
        fprintf(stderr, "shape \"%s\" is malformed, want \"n2 c16-17 7x5 k3 s2 p1\" or the like\n", text);
        abort();
    }
    return s;
}

tg_conv2d_config conv2d_config_of(const conv_shape *s)
{
    return (tg_conv2d_config){ .stride = { (int)s->stride[0], (int)s->stride[1] },
                               .pad = { (int)s->pad[0], (int)s->pad[1] },
                               .dilation = { (int)s->dilation[0], (int)s->dilation[1] },
                               .groups = (int)s->groups };
}

tg_conv2d_attr conv2d_attr_of(const conv_shape *s)
{
    return (tg_conv2d_attr){ .stride = { (int)s->stride[0], (int)s->stride[1] },
                             .pad = { (int)s->pad[0], (int)s->pad[1] },
                             .dilation = { (int)s->dilation[0], (int)s->dilation[1] },
                             .groups = (int)s->groups,
                             .image = { s->image[0], s->image[1] },
                             .kernel = { s->kernel[0], s->kernel[1] } };
}

tg_pool2d_attr pool2d_attr_of(const conv_shape *s)
{
    return (tg_pool2d_attr){ .kernel = { (int)s->kernel[0], (int)s->kernel[1] },
                             .stride = { (int)s->stride[0], (int)s->stride[1] },
                             .pad = { (int)s->pad[0], (int)s->pad[1] },
                             .exclude_pad = s->exclude_pad,
                             .image = { s->image[0], s->image[1] } };
}
