/* onednn_engine.c - one engine per process. See onednn_engine.h. */
#include "onednn_engine.h"
#include "cpu.h"
#include "dispatch.h"
#include "dnnl_shim.h"
#include "library.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct {
    pthread_once_t once;
    dnnl_engine_t engine;
    const char *why_not;
    char version[320];
} global = { .once = PTHREAD_ONCE_INIT };

#define TEXT_OF(number) #number
#define SONAME(major)   "libdnnl.so." TEXT_OF(major)
#define NAME(name)      "dnnl_" #name,

struct tg_dnnl tg_dnnl;

static const char *const files[] = { SONAME(DNNL_VERSION_MAJOR), TG_DNNL_FILE, NULL };
static const char *const names[] = { TG_DNNL_FUNCTIONS(NAME) NULL };
static void *at[sizeof names / sizeof *names - 1];
static tg_library library = { .backend = "onednn", .files = files, .names = names, .functions = at };

static bool load_onednn(void)
{
    _Static_assert(sizeof at == sizeof tg_dnnl, "a pointer for each name");
    if (!tg_library_load(&library)) {
        global.why_not = library.why_not;
        return false;
    }
    memcpy(&tg_dnnl, at, sizeof at);
    return true;
}

/* Only if the user asked for less than the processor has: oneDNN's own variable should not be overridden needlessly. */
static void cap_isa(void)
{
    static const dnnl_cpu_isa_t of[TG_ISAS] = {
        [TG_ISA_GENERIC] = dnnl_cpu_isa_sse41,       [TG_ISA_AVX2] = dnnl_cpu_isa_avx2,
        [TG_ISA_AVX512] = dnnl_cpu_isa_avx512_core,  [TG_ISA_AVX512_BF16] = dnnl_cpu_isa_avx512_core_bf16,
        [TG_ISA_AMX] = dnnl_cpu_isa_avx512_core_amx,
    };
    if (tg_max_isa() < tg_cpu_isa()) dnnl_set_max_cpu_isa(of[tg_max_isa()]);
}

static void refuse_onednn(const char *why_not)
{
    global.why_not = why_not;
    tg_backend_is_missing(library.backend, why_not);
}

static void start_engine(void)
{
    if (!load_onednn()) {
        snprintf(global.version, sizeof global.version, "cannot be used: %s", global.why_not);
        return;
    }
    const dnnl_version_t *v = dnnl_version();
    snprintf(global.version, sizeof global.version, "%d.%d.%d (header %d.%d.%d)", v->major, v->minor, v->patch,
             DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
    if (v->major != DNNL_VERSION_MAJOR) {
        refuse_onednn("oneDNN's library and header differ in their major version");
        return;
    }
    cap_isa();
    if (dnnl_engine_create(&global.engine, dnnl_cpu, 0)) refuse_onednn("oneDNN cannot make a CPU engine");
}

bool tg_onednn_is_loaded(void) { return atomic_load(&library.loaded); }
const char *tg_onednn_file(void) { return SONAME(DNNL_VERSION_MAJOR); }

const char *tg_onednn_version(void)
{
    pthread_once(&global.once, start_engine);
    return global.version;
}

dnnl_engine_t tg_onednn_engine(const char **why_not)
{
    pthread_once(&global.once, start_engine);
    *why_not = global.why_not;
    return global.engine;
}
