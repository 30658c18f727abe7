/* signals.h - signals that ask a command to stop or to save. */
#ifndef TG_APPS_SIGNALS_H
#define TG_APPS_SIGNALS_H
#include <stdbool.h>

/* Ignores SIGXFSZ: exceeding the file size limit becomes a write error, EFBIG, like a full disk. */
void signals_of_files(void);
/* Starts recording SIGINT and SIGTERM, the second of which ends the program; and SIGHUP (the terminal is gone) and
 * SIGPIPE (the reader is gone), unless they were ignored, as under nohup. */
void signals_watch(void);
int signals_stop(void);         /* the first one received, or 0; the exit status is 128 plus it */
const char *signals_word(void); /* signals_stop() in words: "interrupted", "terminated" */
void signals_watch_save(void);  /* starts recording SIGUSR1 */
bool signals_save(void);        /* has SIGUSR1 arrived since the last call? */
#endif
