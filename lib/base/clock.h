/* clock.h - a monotonic clock for measuring elapsed time. */
#ifndef TG_CLOCK_H
#define TG_CLOCK_H

double tg_now_ms(void); /* milliseconds since an arbitrary origin; never goes backwards */
#endif
