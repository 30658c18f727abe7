/* openblas_version.h - the OpenBLAS library: version and file. */
#ifndef TG_OPENBLAS_VERSION_H
#define TG_OPENBLAS_VERSION_H
#include <stdbool.h>

/* "OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP SkylakeX MAX_THREADS=128": version, build options, kernels; or why it cannot
 * be used. Loads it. */
const char *tg_openblas_version(void);
const char *tg_openblas_file(void); /* the file loaded ... */
bool tg_openblas_is_loaded(void);   /* ... and whether it has been */
#endif
