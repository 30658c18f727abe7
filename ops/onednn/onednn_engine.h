/* onednn_engine.h - what the rest of tilegrad may ask of its oneDNN backend. */
#ifndef TG_ONEDNN_ENGINE_H
#define TG_ONEDNN_ENGINE_H
#include <stdbool.h>

/* "2.6.3 (header 2.6.3)", or why it cannot be used; loads it.  If the library's major version is not that of the
 * header, all kernels reject. */
const char *tg_onednn_version(void);
const char *tg_onednn_file(void); /* "libdnnl.so.2": what is loaded ... */
bool tg_onednn_is_loaded(void);   /* ... and whether it has been */

/* oneDNN's engine, a dnnl_engine_t; NULL, and why, if there is none.  First use caps oneDNN's instruction set as
 * TG_MAX_ISA says; without that, ONEDNN_MAX_CPU_ISA holds. */
struct dnnl_engine *tg_onednn_engine(const char **why_not);

/* Shapes that the cache of plans remembers now, those for which oneDNN has nothing included. */
enum { TG_ONEDNN_PLANS = 512 }; /* at most */
int tg_onednn_cached(void);
#endif
