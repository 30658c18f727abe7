/* ckpt_contents.h - a file's table of contents in sections: the model's tensors, then those of "optim/" and others. */
#ifndef TG_APPS_CKPT_CONTENTS_H
#define TG_APPS_CKPT_CONTENTS_H
#include "ckpt_stats.h"

typedef struct {
    const char *name; /* "model", "optim" */
    int first, n;     /* of contents.order */
    uint64_t numbers, bytes;
} contents_section;

typedef struct {
    tg_tensor_file *file;
    int *order; /* [file->n] by section, then by name: "layer.2" before "layer.10" */
    int n;
    contents_section *section; /* [n] */
    ckpt_stats *stats;         /* [file->n], by tensor index, or NULL */
} contents;

/* Allocated in root; all fields are NULL if root has failed. */
contents contents_read(ckpt *c, tg_tensor_file *f, bool stats);
/* The name without its section. */
const char *contents_name(const tg_file_tensor *t);

/* As text, and as JSON. */
void contents_print(const contents *all, FILE *to);
void contents_print_json(ckpt *c, const contents *all, FILE *to);
#endif
