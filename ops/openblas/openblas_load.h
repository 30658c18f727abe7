/* openblas_load.h - the OpenBLAS functions in use. The library is loaded when a product may need it. */
#ifndef TG_OPENBLAS_LOAD_H
#define TG_OPENBLAS_LOAD_H
#include <cblas.h>

extern struct tg_openblas {
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_get_config) *get_config;
} tg_openblas;

const char *tg_openblas_refusal(void); /* loads it; NULL: usable, otherwise why not */
#endif
