/* openblas_load.c - see openblas_load.h. */
#include "openblas_load.h"
#include "library.h"
#include "openblas_version.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct tg_openblas tg_openblas;

static const char *const files[] = { TG_OPENBLAS_FILE, NULL };
static const char *const names[] = { "cblas_sgemm", "openblas_get_config", NULL };
static void *at[sizeof names / sizeof *names - 1];
static tg_library library = { .backend = "openblas", .files = files, .names = names, .functions = at };
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_openblas(void)
{
    _Static_assert(sizeof at == sizeof tg_openblas, "a pointer for each name");
    if (tg_library_load(&library)) memcpy(&tg_openblas, at, sizeof at);
}

const char *tg_openblas_refusal(void)
{
    pthread_once(&once, load_openblas);
    return *library.why_not ? library.why_not : NULL;
}

bool tg_openblas_is_loaded(void) { return atomic_load(&library.loaded); }
const char *tg_openblas_file(void) { return files[0]; }

const char *tg_openblas_version(void)
{
    static _Thread_local char text[320];
    const char *const why_not = tg_openblas_refusal();
    if (why_not) snprintf(text, sizeof text, "OpenBLAS cannot be used: %s", why_not);
    else snprintf(text, sizeof text, "%s", tg_openblas.get_config());
    return text;
}
