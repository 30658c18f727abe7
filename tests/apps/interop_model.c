/* interop_model.c - tilegrad's half of tests/apps/interop.py: a ResNet-18 and its Adam state.
 *
 *     interop_model train FILE NUMBERS     3 steps, FILE, then its logits; one more step, then those; 2 x 40 floats
 *     interop_model go-on FILE NUMBERS     the same from a file: its logits, one more step, its logits */
#include "wave.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    tg_scope *root;
    tg_module *net;
    tg_optim *opt;
} world;

static tg_tensor *batch(tg_scope *s, double seed) { return new_wave(s, (wave){ seed, 1, 0 }, 4, TG_DIM(4, 32, 32, 3)); }

static void train_step(const world *w, int i)
{
    tg_scope *const step = tg_train(w->root);
    const int64_t classes[4] = { i % 10, 3, 7, (i + 5) % 10 };
    tg_tensor *const y = tg_from(step, TG_I64, 1, TG_DIM(4), classes);
    tg_backward(step, tg_cross_entropy(step, tg_forward(step, w->net, batch(step, 100 + i)), y));
    tg_update(step, w->opt);
    tg_pop(step);
}

static bool put_logits(const world *w, FILE *to)
{
    tg_scope *const look = tg_push(w->root);
    const void *const logits = tg_f32(tg_forward(look, w->net, batch(look, 1)));
    const bool good = logits && fwrite(logits, sizeof(float), 40, to) == 40;
    tg_pop(look);
    return good;
}

static bool run(const world *w, const char *what, const char *file, FILE *to)
{
    if (!strcmp(what, "train")) {
        for (int i = 0; i < 3; i++) train_step(w, i);
        tg_save(w->root, file, w->net, w->opt);
    } else {
        tg_load(w->root, file, w->net, w->opt);
    }
    if (!put_logits(w, to)) return false;
    train_step(w, 3);
    return put_logits(w, to) && tg_ok(w->root);
}

int main(int argc, char **argv)
{
    if (argc != 4) return fprintf(stderr, "usage: interop_model train|go-on FILE NUMBERS\n"), 2;
    world w = { .root = tg_open() };
    tg_seed(w.root, 1);
    w.net = tg_resnet18c(w.root, 10);
    w.opt = tg_adam(w.root, w.net, (tg_adam_config){ .lr = 1e-3f, .weight_decay = 0.01f });
    FILE *const to = fopen(argv[3], "wb");
    const bool good = to && run(&w, argv[1], argv[2], to);
    if (to) fclose(to);
    if (!good) fprintf(stderr, "interop_model: %s\n", tg_message(w.root));
    tg_close(w.root);
    return !good;
}
