/* openblas_version.c - which OpenBLAS this is. */
#include "openblas_version.h"
#include <cblas.h>

const char *tg_openblas_version(void) { return openblas_get_config(); }
