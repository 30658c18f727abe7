/* machine.c - see machine.h. */
#include "machine.h"
#include "dispatch.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#if TG_WITH_ONEDNN
#include "onednn_engine.h"
static const char *onednn_version(void) { return tg_onednn_version(); }
static bool onednn_is_loaded(void) { return tg_onednn_is_loaded(); }
const char *machine_onednn_file(void) { return tg_onednn_file(); }
#else
const char *machine_onednn_file(void) { return NULL; }
static const char *onednn_version(void) { return "not in this build"; }
static bool onednn_is_loaded(void) { return false; }
#endif
#if TG_WITH_OPENBLAS
#include "openblas_version.h"
static const char *openblas_version(void) { return tg_openblas_version(); }
static bool openblas_is_loaded(void) { return tg_openblas_is_loaded(); }
const char *machine_openblas_file(void) { return tg_openblas_file(); }
#else
const char *machine_openblas_file(void) { return NULL; }
static const char *openblas_version(void) { return "not in this build"; }
static bool openblas_is_loaded(void) { return false; }
#endif

static bool uses(const char *name, bool built) { return built && strstr(tg_backends(), name); }
static bool uses_onednn(void) { return uses("onednn", TG_WITH_ONEDNN); }
static bool uses_openblas(void) { return uses("openblas", TG_WITH_OPENBLAS); }

const char *machine_backends(tg_scope *s, const char *like)
{
    char text[512];
    const bool onednn = uses_onednn() && (onednn_is_loaded() || (like && strstr(like, "; oneDNN ")));
    const bool openblas = uses_openblas() && (openblas_is_loaded() || (like && strstr(like, "; OpenBLAS ")));
    snprintf(text, sizeof text, "%s%s%s%s%s", tg_backends(), onednn ? "; oneDNN " : "", onednn ? onednn_version() : "",
             openblas ? "; " : "", openblas ? openblas_version() : "");
    return tg_strdup(s, text);
}

bool machine_uses_libraries(void) { return uses_onednn() || uses_openblas(); }

void machine_date(char text[24])
{
    const time_t now = time(NULL);
    struct tm utc = { 0 };
    gmtime_r(&now, &utc);
    strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
