/* onednn_engine.h - the oneDNN library: version, file, engine. */
#ifndef TG_ONEDNN_ENGINE_H
#define TG_ONEDNN_ENGINE_H
#include <stdbool.h>

/* "2.6.3 (header 2.6.3)", or why it cannot be used; loads it. All kernels reject if the library's major version differs
 * from the header's. */
const char *tg_onednn_version(void);
const char *tg_onednn_file(void); /* the file loaded: "libdnnl.so.2" */
bool tg_onednn_is_loaded(void);   /* whether it has been loaded */

/* oneDNN's engine, a dnnl_engine_t; NULL, and why, if there is none. First use caps oneDNN's instruction set as
 * TG_MAX_ISA says; without that variable, ONEDNN_MAX_CPU_ISA applies. */
struct dnnl_engine *tg_onednn_engine(const char **why_not);

/* Number of shapes in the plan cache, including those that oneDNN does not support. */
enum { TG_ONEDNN_PLANS = 512 }; /* at most */
int tg_onednn_cached(void);
#endif
