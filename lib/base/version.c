/* version.c - see version.h. */
#include "version.h"

const char *tg_version(void) { return TG_VERSION; }
