/* ranks.c - see ranks.h. */
#include "ranks.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The variables that launchers set.  A Slurm batch script sees the number of tasks and rank 0, too, although it runs
 * alone; only srun sets the size of a step. */
static const struct {
    const char *launcher, *size, *rank;
} told[] = {
    { "Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK" },
    { "MVAPICH2", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK" },
    { "Slurm", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID" },
    { "MPI", "PMI_SIZE", "PMI_RANK" },
    { "torchrun", "WORLD_SIZE", "RANK" },
};

static int number(const char *name)
{
    const char *const text = getenv(name);
    char *end;
    const long n = text ? strtol(text, &end, 10) : -1;
    return text && end != text && !*end && n >= 0 && n < 1 << 30 ? (int)n : -1;
}

ranks ranks_here(void)
{
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const ranks r = { told[i].launcher, number(told[i].rank), number(told[i].size) };
        if (r.size > 1 && r.rank >= 0 && r.rank < r.size) return r;
    }
    const ranks slurm = { "Slurm", number("SLURM_PROCID"), number("SLURM_NTASKS") };
    if (slurm.size > 1 && slurm.rank > 0 && slurm.rank < slurm.size) return slurm;
    return (ranks){ "", 0, 1 };
}

void ranks_report(const char *command)
{
    const ranks r = ranks_here();
    if (r.size > 1)
        fprintf(stderr, "%s: rank %d of %d started by %s: ranks do not work together, each computes by itself\n",
                command, r.rank, r.size, r.launcher);
}

bool ranks_own(const char *folder)
{
    const ranks r = ranks_here();
    const char *const slash = strrchr(folder, '/');
    if (r.size == 1) return true;
    for (const char *at = slash ? slash + 1 : folder; *at;) {
        char *end = (char *)at + 1;
        if (isdigit((unsigned char)*at) && strtol(at, &end, 10) == r.rank) return true;
        at = end;
    }
    return false;
}
