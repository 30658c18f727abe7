/* fashion_mnist.c - Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 60,000 + 10,000 grayscale images of clothes, 28 x 28.
 */
#include "dataset.h"
#include <stdlib.h>
#include <string.h>

#ifndef TG_SAMPLE_DEFAULT /* the build sets the sample's path in the source tree ... */
#define TG_SAMPLE_DEFAULT "datasets/sample"
#endif
#ifndef TG_SAMPLE_INSTALLED /* ... and its installed path */
#define TG_SAMPLE_INSTALLED "/usr/share/tilegrad/sample"
#endif

static const char debian_folder[] = "/usr/share/datasets/fashion-mnist";
static const char sample_note[] = "a sample of Fashion-MNIST; for all 70,000 images: apt install dataset-fashion-mnist";

/* Mean and deviation of all 60,000 training images are used for both splits and for the sample. */
static tg_dataset *load(tg_scope *s, const char *folder, tg_split split, const char *name, const char *note)
{
    tg_dataset d = {
        .name = name,
        .note = note,
        .classes = 10,
        .class_names = tg_fashion_names,
        .mean = { 0.28604059f },
        .deviation = { 0.35302424f },
    };
    return tg_idx_load(s, folder, split, &d) ? tg_dataset_keep(s, &d, folder) : NULL;
}

/* If TG_SAMPLE_DIR is set, nothing else is tried. */
static const char *sample_folder(void)
{
    const char *const said = getenv("TG_SAMPLE_DIR");
    if (said) return said;
    static const char *const places[] = { TG_SAMPLE_DEFAULT, TG_SAMPLE_INSTALLED, "datasets/sample" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (tg_idx_folder(places[i], TG_TRAIN)) return places[i];
    return NULL;
}

tg_dataset *tg_fashion_mnist_sample(tg_scope *s, const char *dir, tg_split split)
{
    if (!tg_ok(s)) return NULL;
    const char *const folder = dir ? dir : sample_folder();
    if (!folder) {
        tg_fail(s, "Fashion-MNIST sample: not in %s, %s or ./datasets/sample; set TG_SAMPLE_DIR to its folder",
                TG_SAMPLE_DEFAULT, TG_SAMPLE_INSTALLED);
        return NULL;
    }
    return load(s, folder, split, "Fashion-MNIST sample", sample_note);
}

tg_dataset *tg_fashion_mnist(tg_scope *s, const char *dir, tg_split split)
{
    if (!tg_ok(s)) return NULL;
    const char *const said = getenv("TG_FASHION_MNIST_DIR"), *const usual = said ? said : debian_folder;
    if (!dir && !tg_idx_folder(usual, split)) return tg_fashion_mnist_sample(s, NULL, split);
    return load(s, dir ? dir : usual, split, "Fashion-MNIST", NULL);
}
