/* allow_crowds.c - a part of each test program: a machine of two processors tests three workers, too. */
#include "pool.h"

__attribute__((constructor)) static void allow_crowds(void) { tg_pool_oversubscribes = true; }
