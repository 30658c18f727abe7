/* made.h - the part "made/" of a checkpoint: what the weights are of, and what they were trained with.
 *
 * All of it is text, as it stands in the file; what a file lacks is NULL. */
#ifndef TG_APPS_MADE_H
#define TG_APPS_MADE_H
#include <tilegrad/tensor_file.h>
#include <tilegrad/tilegrad.h>

typedef struct {
    const char *model, *classes, *input;        /* "lenet", "10", "28x28x1" */
    const char *class_names, *mean, *deviation; /* JSON: ["T-shirt/top", ...], [0.286, ...] by channel */
    const char *data, *data_dir, *set;          /* as --data and --data-dir say; the set's own name */
    const char *dtype;                          /* "fp32", "bf16" */
    const char *version, *backends, *isa, *processor, *threads, *date;
} made;

/* What is made here and now; dtype, data and data_dir as given.  Texts live in s. */
made made_here(tg_scope *s, const tg_model_info *model, const tg_dataset *set, const char *data, const char *data_dir,
               const char *dtype);
made made_read(tg_scope *s, const tg_tensor_file *f);
tg_stateful made_state(made *m); /* for saving */

int made_classes(const made *m); /* 0: the file does not say, or says nonsense */
/* The file's mean and deviation become the set's; nothing happens if the file has none.  Fails s if they are no numbers
 * for images of this kind. */
void made_normalize(tg_scope *s, const made *m, tg_dataset *set);
/* The names of classes; NULL if the file does not have as many. */
const char *const *made_class_names(tg_scope *s, const made *m, int classes);
/* What may make bits differ between then and now: "2 threads (now 1), avx2 (now avx512)"; "" if nothing does. */
const char *made_differences(tg_scope *s, const made *then, const made *now);
#endif
