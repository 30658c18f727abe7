/* environment.h - tilegrad's environment variables, which README.md lists.
 *
 * If one has an invalid value (TG_MAX_ISA=avx3), tg_open returns a scope that has failed with a message about it.  A
 * name that is nearly one of ours may belong to another program, so it is only a warning. */
#ifndef TG_ENVIRONMENT_H
#define TG_ENVIRONMENT_H
#include <stdbool.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

/* If a variable has an invalid value, writes a message with the valid ones into text[size] and returns true. */
bool tg_environment_wrong(char *text, size_t size);
/* A message about variables that look like misspelt names of ours and are ignored, to be shown to the user once; "":
 * none.  Valid until the calling thread calls it again. */
const char *tg_environment_warning(void);

#ifdef __cplusplus
}
#endif
#endif
