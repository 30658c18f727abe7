/* library.c - see library.h. */
#include "dispatch.h"
#include "library.h"
#include <dlfcn.h>
#include <stdio.h>
#include <sys/resource.h>

static bool address_space_is_limited(void)
{
    struct rlimit limit;
    return !getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY;
}

static void *open_first(tg_library *l)
{
    void *handle = NULL;
    for (const char *const *file = l->files; *file && !handle; file++) handle = dlopen(*file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) snprintf(l->why_not, sizeof l->why_not, "%s", dlerror());
    return handle;
}

static bool load(tg_library *l)
{
    if (address_space_is_limited()) {
        snprintf(l->why_not, sizeof l->why_not, "%s is not loaded while the address space is limited (ulimit -v)",
                 l->files[0]);
        return false;
    }
    void *const handle = open_first(l);
    for (int i = 0; handle && l->names[i]; i++) {
        l->functions[i] = dlsym(handle, l->names[i]);
        if (l->functions[i]) continue;
        snprintf(l->why_not, sizeof l->why_not, "%s lacks %s", l->files[0], l->names[i]);
        return false;
    }
    return handle;
}

bool tg_library_load(tg_library *l)
{
    const bool good = load(l);
    if (!good) tg_backend_is_missing(l->backend, l->why_not);
    atomic_store(&l->loaded, good);
    return good;
}
