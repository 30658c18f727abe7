/* signals.h - what the system asks of a command: to stop, to save. */
#ifndef TG_APPS_SIGNALS_H
#define TG_APPS_SIGNALS_H
#include <stdbool.h>

void signals_watch(void);        /* from here on the first SIGINT or SIGTERM is noted, the next one ends the program */
int  signals_stop(void);         /* the SIGINT or SIGTERM that has come, or 0; the exit status is 128 more */
const char *signals_word(void);  /* "interrupted", "terminated": what signals_stop() is called */
void signals_watch_save(void);   /* from here on SIGUSR1 is noted */
bool signals_save(void);         /* has SIGUSR1 come since the last call? */
#endif
