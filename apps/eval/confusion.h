/* confusion.h - which classes a classifier takes for which. */
#ifndef TG_CONFUSION_H
#define TG_CONFUSION_H
#include <tilegrad/scope.h>

/* count[truth * (classes + 1) + predicted]; the last column: without a class */
typedef struct {
    int classes;
    const int64_t *count;
    const char *const *name;
} confusion;

int64_t confusion_at(const confusion *c, int truth, int predicted);
int64_t confusion_of(const confusion *c, int truth); /* how many images are of this class */
int confusion_worst(const confusion *c, int truth);  /* what it is most often taken for wrongly; -1 */
/* A PNG: a row for each class, a column for what it was taken for, darker the larger the share of the row.  False and
 * s failed if it cannot be made or written. */
bool confusion_write(tg_scope *s, const char *path, const confusion *c);
#endif
