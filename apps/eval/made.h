/* made.h - the section "made/" of a checkpoint, its provenance: the model, the data, the machine.
 *
 * All fields are text, as in the file; missing ones are NULL. */
#ifndef TG_APPS_MADE_H
#define TG_APPS_MADE_H
#include <tilegrad/tensor_file.h>
#include <tilegrad/tilegrad.h>

typedef struct {
    const char *model, *classes, *input;        /* "lenet", "10", "28x28x1" */
    const char *class_names, *mean, *deviation; /* JSON: ["T-shirt/top", ...], [0.286, ...] by channel */
    const char *data, *data_dir, *set;          /* --data, --data-dir; the set's own name */
    const char *dtype;                          /* "fp32", "bf16" */
    const char *version, *backends, *isa, *processor, *threads, *date;
} made;

/* The provenance of this run, with the given dtype, data and data_dir.  Texts live in s. */
made made_here(tg_scope *s, const tg_model_info *model, const tg_dataset *set, const char *data, const char *data_dir,
               const char *dtype);
made made_read(tg_scope *s, const tg_tensor_file *f);
tg_stateful made_state(made *m); /* for saving */

int made_classes(const made *m); /* 0: missing or invalid */
/* Sets the data set's mean and deviation to the file's, if it has them.  Fails s if they don't suit its images. */
void made_normalize(tg_scope *s, const made *m, tg_dataset *set);
/* The class names; NULL if the file has a different number of them. */
const char *const *made_class_names(tg_scope *s, const made *m, int classes);
/* The differences that may change bits: "2 threads (now 1), avx2 (now avx512)"; "" if there are none. */
const char *made_differences(tg_scope *s, const made *then, const made *now);
#endif
