/* ranks.h - processes that a launcher starts together: mpirun, srun. */
#ifndef TG_APPS_RANKS_H
#define TG_APPS_RANKS_H
#include <stdbool.h>

typedef struct {
    const char *launcher;
    int rank, size;
} ranks; /* size 1: this process is alone */

ranks ranks_here(void);
/* Says on stderr if this is one of several ranks, which do not work together. */
void ranks_report(const char *command);
/* Every rank gets the same command line, so a folder is a rank's own only if the last part of its path has the rank's
 * number: runs/lenet-3. */
bool ranks_own(const char *folder);
#endif
