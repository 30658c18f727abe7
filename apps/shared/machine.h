/* machine.h - the libraries in use: for reports, and to determine whether two runs can produce the same bits. */
#ifndef TG_APPS_MACHINE_H
#define TG_APPS_MACHINE_H
#include <tilegrad/tilegrad.h>

/* The library's file, which is loaded when a kernel first needs it; NULL: not in this build. */
const char *machine_onednn_file(void), *machine_openblas_file(void);
/* The enabled backends, and the versions of the libraries that have been loaded; the text lives in s.  `like` is NULL
 * or an earlier such text to compare with: libraries whose versions it names are loaded. */
const char *machine_backends(tg_scope *s, const char *like);
/* May library kernels run?  Their sums can depend on the number of threads, the processor and the version. */
bool machine_uses_libraries(void);
void machine_date(char text[24]); /* now: "2024-02-29T13:37:00Z" */
#endif
