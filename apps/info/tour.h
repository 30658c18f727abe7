/* tour.h - calls of every operator, for `tilegrad kernels`. */
#ifndef TG_APPS_TOUR_H
#define TG_APPS_TOUR_H
#include <tilegrad/tilegrad.h>

/* Records training steps and evaluations of networks, and calls of the operators that those lack, at usual sizes, and
 * has each looked at by `observe` with the kernel it would run on.  Nothing is computed.  False, with `message`, if a
 * call does not pass. */
bool tour(void (*observe)(void *context, const tg_call *c), void *context, char message[256]);
#endif
