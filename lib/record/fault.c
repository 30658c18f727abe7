/* fault.c - what a kernel keeps, and the faults that it finds in its data.  The lowest task's message wins, so that it
 * does not depend on the number of workers. */
#include "core.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void tg_fault_say(tg_fault *fault, int64_t task, const char *format, ...)
{
    if (!fault || !format) return;
    va_list list;
    va_start(list, format);
    pthread_mutex_lock(&lock);
    if (task < fault->task) {
        fault->task = task;
        vsnprintf(fault->message, sizeof fault->message, format, list);
    }
    pthread_mutex_unlock(&lock);
    va_end(list);
}

bool tg_keep_state(tg_call *c, const void *state, size_t bytes, tg_fault *fault)
{
    if (!c || !c->scope || !state) return false;
    c->state = tg_arena_take_raw(&c->scope->program->run_arena, bytes);
    if (c->state) memcpy(c->state, state, bytes);
    else tg_fault_say(fault, 0, "out of memory: a plan of %zu bytes", bytes);
    return c->state != NULL;
}

bool tg_faulted(const tg_fault *fault) { return fault->task != INT64_MAX; }
