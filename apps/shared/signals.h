/* signals.h - what the system asks of a command: to stop, to save. */
#ifndef TG_APPS_SIGNALS_H
#define TG_APPS_SIGNALS_H
#include <stdbool.h>

/* From here on a file that grows beyond its limit (SIGXFSZ) is an error of the write, EFBIG, as a full disk is one. */
void signals_of_files(void);
/* From here on these are noted: SIGINT and SIGTERM, of which the second ends the program; SIGHUP (the terminal is gone)
 * and SIGPIPE (nobody reads the output), unless they were ignored, as nohup does. */
void signals_watch(void);
int signals_stop(void);         /* the first of them that has come, or 0; the exit status is 128 more */
const char *signals_word(void); /* "interrupted", "terminated": what signals_stop() is called */
void signals_watch_save(void);  /* from here on SIGUSR1 is noted */
bool signals_save(void);        /* has SIGUSR1 come since the last call? */
#endif
