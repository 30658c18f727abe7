/* tour.h - calls of every operator, for `tilegrad kernels`. */
#ifndef TG_APPS_TOUR_H
#define TG_APPS_TOUR_H
#include <tilegrad/tilegrad.h>

/* Records training steps and inference of networks, and calls of operators that these don't use, at usual sizes, and
 * passes each to `observe` with the kernel that would run.  Nothing is computed.  False, with `message`, if a call
 * fails. */
bool tour(void (*observe)(void *context, const tg_call *c), void *context, char message[256]);
#endif
