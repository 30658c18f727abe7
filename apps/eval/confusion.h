/* confusion.h - the confusion matrix of a classifier. */
#ifndef TG_CONFUSION_H
#define TG_CONFUSION_H
#include <tilegrad/scope.h>

/* count[truth * (classes + 1) + predicted]; the last column counts NO_CLASS */
typedef struct {
    int classes;
    const int64_t *count;
    const char *const *name;
} confusion;

int64_t confusion_at(const confusion *c, int truth, int predicted);
int64_t confusion_of(const confusion *c, int truth); /* the number of images of this class */
int confusion_worst(const confusion *c, int truth);  /* its most frequent wrong prediction; -1: none */
/* Writes a PNG: rows are true classes, columns predicted ones, darker for larger shares of the row.  On failure, fails
 * s and returns false. */
bool confusion_write(tg_scope *s, const char *path, const confusion *c);
#endif
