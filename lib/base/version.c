/* version.c - the library's version.  See version.h. */
#include "version.h"

const char *tg_version(void) { return TG_VERSION; }
