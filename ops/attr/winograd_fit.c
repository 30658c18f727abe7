/* winograd_fit.c - see winograd_fit.h. */
#include "winograd_fit.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool off;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_switch(void)
{
    const char *value = getenv("TG_WINOGRAD");
    off = value && !strcmp(value, "0");
}

const char *tg_winograd_unfit(const tg_conv2d_attr *a, const int64_t kernel[2], int64_t in, int64_t out, int64_t least)
{
    pthread_once(&once, read_switch);
    if (off) return "TG_WINOGRAD=0";
    for (int i = 0; i < 2; i++)
        if (kernel[i] != 3 || a->stride[i] != 1 || a->dilation[i] != 1) return "not plain 3x3 with stride 1";
    if (a->groups != 1) return "not plain 3x3 with stride 1";
    return in < least || out < least ? "so few channels that it is not worth it" : NULL;
}
