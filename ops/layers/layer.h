/* layer.h - shared by the files of this folder. */
#ifndef TG_LAYER_H
#define TG_LAYER_H
#include "layers.h"

enum { TG_MAX_PATH = 512 }; /* bytes of the longest parameter name, including the terminator */

/* True if got >= least; otherwise fails with "Conv2d: in 0, want at least 1". */
bool tg_layer_wants(tg_scope *s, const char *kind, const char *field, int got, int least);

/* A leaf with values uniform in +-1/sqrt(fan_in): PyTorch's default for weights and biases of convolutions and linear
 * layers. */
tg_tensor *tg_init_uniform(tg_scope *s, double fan_in, int rank, const int64_t *dim);

/* Whether the slot's tensor was not replaced; otherwise fails, with the slot's full name. */
bool tg_slot_sound(tg_scope *s, const tg_module *m, const tg_slot *slot);
bool tg_slots_sound(tg_scope *s, const tg_module *m); /* of m and all its descendants */

/* Writes "layer1.0.conv1" into text, as seen from `top`; returns its length. */
size_t tg_path_within(const tg_module *top, const tg_module *m, char text[TG_MAX_PATH]);

/* The end of a ResNet block: the sum of a branch and its shortcut, then relu. */
tg_tensor *tg_add_relu(tg_scope *s, tg_tensor *branch, tg_tensor *shortcut);

#define TG_NETWORK(name, h, w, c, about) tg_module *tg_##name(tg_scope *s, int classes);
#include "networks.def"
#endif
