/* fault.c - faults that kernels find in their data.  The lowest task's message wins, so that it does not depend on the
 * number of workers. */
#include "core.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

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

bool tg_faulted(const tg_fault *fault) { return fault->task != INT64_MAX; }
