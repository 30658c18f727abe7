/* signals.h - what the system asks of a training: to stop, to save. */
#ifndef TG_APPS_SIGNALS_H
#define TG_APPS_SIGNALS_H
#include <stdbool.h>

void signals_watch(void);        /* from here on the first SIGINT or SIGTERM is noted, the next one ends the program */
int  signals_stop(void);         /* the SIGINT or SIGTERM that has come, or 0 */
bool signals_save(void);         /* has SIGUSR1 come since the last call? */
#endif
