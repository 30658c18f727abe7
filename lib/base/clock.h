/* clock.h - how long things take. */
#ifndef TG_CLOCK_H
#define TG_CLOCK_H

double tg_now_ms(void); /* milliseconds since some moment; never runs backwards */
#endif
