/* openblas_version.h - which OpenBLAS this is. */
#ifndef TG_OPENBLAS_VERSION_H
#define TG_OPENBLAS_VERSION_H
#include <stdbool.h>

/* "OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP SkylakeX MAX_THREADS=128": the version, how it was built, its kernels; or why
 * it cannot be used.  Loads it. */
const char *tg_openblas_version(void);
const char *tg_openblas_file(void); /* what is loaded ... */
bool tg_openblas_is_loaded(void);   /* ... and whether it has been */
#endif
