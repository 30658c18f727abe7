/* ranks.h - detects processes started together by mpirun or srun. */
#ifndef TG_APPS_RANKS_H
#define TG_APPS_RANKS_H
#include <stdbool.h>

typedef struct {
    const char *launcher;
    int rank, size;
} ranks; /* size 1: this process is alone */

ranks ranks_here(void);
/* Warns on stderr if this is one of several ranks, which do not work together. */
void ranks_report(const char *command);
/* Every rank gets the same command line, so a folder belongs to one rank only if the last component of its path
 * contains the rank's number: runs/lenet-3. */
bool ranks_own(const char *folder);
#endif
