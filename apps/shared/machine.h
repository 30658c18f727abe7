/* machine.h - what computes: for reports, and for telling whether two runs can have the same bits. */
#ifndef TG_APPS_MACHINE_H
#define TG_APPS_MACHINE_H
#include <tilegrad/tilegrad.h>

/* The libraries in this build, by the files that are loaded when a kernel first needs them; NULL: not in this build. */
const char *machine_onednn_file(void), *machine_openblas_file(void);
/* The backends that may be used, and the versions of those libraries that have been loaded; the text lives in s. `like`
 * is NULL, or such a text, to compare with: libraries whose versions it has are loaded. */
const char *machine_backends(tg_scope *s, const char *like);
/* May kernels of libraries be used, whose sums can depend on the number of threads, the processor, the version? */
bool machine_uses_libraries(void);
void machine_date(char text[24]); /* now: "2024-02-29T13:37:00Z" */
#endif
