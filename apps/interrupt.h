/* interrupt.h - Ctrl-C: the first one asks, a second one ends the program. */
#ifndef TG_APPS_INTERRUPT_H
#define TG_APPS_INTERRUPT_H
#include <stdbool.h>

void interrupt_watch(void);              /* from here on */
bool interrupted(void);
#endif
