/* dispatch.c - see dispatch.h. */
#include "dispatch.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = { "ref", "vector", "openblas", "onednn", "brgemm" };
enum { KNOWN = sizeof known / sizeof *known };

/* A bit for each known backend; 0: not yet read from the environment. */
static _Atomic unsigned allowed;
static _Atomic(const tg_op *)     forced_op;
static _Atomic(const tg_kernel *) forced_kernel;

static unsigned bit_of(const char *name, size_t length)
{
    for (unsigned i = 0; i < KNOWN; i++)
        if (strlen(known[i]) == length && !strncmp(known[i], name, length)) return 1u << i;
    return 0;
}

bool tg_set_backends(const char *list)
{
    unsigned bits = list && *list ? 1 : (1u << KNOWN) - 1;
    while (list && *list) {
        size_t   length = strcspn(list, ",");
        unsigned bit = bit_of(list, length);
        if (!bit) return false;
        bits |= bit;
        list += length + (list[length] == ',');
    }
    atomic_store(&allowed, bits);
    return true;
}

static unsigned allowed_now(void)
{
    unsigned bits = atomic_load(&allowed);
    if (bits) return bits;
    if (!tg_set_backends(getenv("TG_BACKEND"))) tg_set_backends(NULL);
    return atomic_load(&allowed);
}

const char *tg_backends(void)
{
    static _Thread_local char text[64];
    unsigned bits = allowed_now();
    text[0] = 0;
    for (unsigned i = 0; i < KNOWN; i++)
        if (bits & 1u << i) strcat(strcat(text, *text ? "," : ""), known[i]);
    return text;
}

const char *tg_kernel_refusal(const tg_kernel *kernel, const tg_call *c)
{
    unsigned bit = kernel->backend ? bit_of(kernel->backend, strlen(kernel->backend)) : 0;
    if (bit && !(allowed_now() & bit)) return "not among TG_BACKEND";
    if (kernel->isa > tg_cpu_isa()) return "this processor lacks its instructions";
    if (kernel->isa > tg_max_isa()) return "above TG_MAX_ISA";
    return kernel->reject ? kernel->reject(c) : NULL;
}

void tg_force_kernel(const tg_op *op, const tg_kernel *kernel)
{
    atomic_store(&forced_op, op);
    atomic_store(&forced_kernel, kernel);
}

const tg_kernel *tg_choose(const tg_call *c)
{
    const tg_kernel *forced = atomic_load(&forced_kernel);
    if (forced && c->op == atomic_load(&forced_op) && !tg_kernel_refusal(forced, c)) return forced;
    for (const tg_kernel *const *k = c->op->kernels; k && *k; k++)
        if (!tg_kernel_refusal(*k, c)) return *k;
    return NULL;
}
