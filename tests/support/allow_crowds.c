/* allow_crowds.c - linked into each test program: allows more workers than processors, so that a machine of two tests
 * three workers, too. */
#include "pool.h"

__attribute__((constructor)) static void allow_oversubscription(void) { tg_pool_oversubscribes = true; }
