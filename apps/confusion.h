/* confusion.h - which classes a classifier takes for which. */
#ifndef TG_CONFUSION_H
#define TG_CONFUSION_H
#include <stdbool.h>
#include <stdint.h>

/* count[truth * classes + predicted] */
typedef struct { int classes; const int64_t *count; const char *const *name; } confusion;

int64_t confusion_of(const confusion *c, int truth);                   /* how many images are of this class */
int     confusion_worst(const confusion *c, int truth);                /* what it is most often taken for wrongly; -1 */
/* A PNG: a row for each class, a column for what it was taken for, darker the larger the share of the row.  False if it
 * cannot be made or written; then `message` begins with the path and says why. */
bool    confusion_write(const char *path, const confusion *c, char message[256]);
#endif
