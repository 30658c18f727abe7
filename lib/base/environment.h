/* environment.h - the variables of the environment that are ours: README.md lists them.
 *
 * Where one has a value that means nothing (TG_MAX_ISA=avx3), tg_open returns a scope that has failed and says so.  A
 * variable whose name is nearly one of ours may be somebody else's, so that is a warning. */
#ifndef TG_ENVIRONMENT_H
#define TG_ENVIRONMENT_H
#include <stdbool.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Writes which variable has a wrong value, and what it may be, into text[size].  False, and nothing written: none has.
 */
bool tg_environment_wrong(char *text, size_t size);
/* Which variables are nearly spelt as one of ours, and so are not read; "" if there are none.  Show it to the user
 * once. Valid until this thread asks again. */
const char *tg_environment_warning(void);

#ifdef __cplusplus
}
#endif
#endif
