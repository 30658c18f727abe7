/* dispatch.c - see dispatch.h. */
#include "dispatch.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = { "ref", "vector", "openblas", "onednn", "brgemm" };
enum { KNOWN = sizeof known / sizeof *known };
enum { NAMED = 1 << KNOWN }; /* the user named backends; otherwise all are allowed by default */

/* A bit per known backend, and NAMED; 0: the environment has not been read yet. */
static _Atomic unsigned allowed;
static _Atomic(const char *) missing[KNOWN]; /* why */
static _Atomic(const tg_op *) forced_op;
static _Atomic(const tg_kernel *) forced_kernel;

/* The index of a name in `known`; KNOWN: not found. */
static unsigned index_of(const char *name, size_t length)
{
    unsigned i = 0;
    while (i < KNOWN && (strlen(known[i]) != length || strncmp(known[i], name, length))) i++;
    return i;
}

static unsigned bit_of(const char *name, size_t length)
{
    const unsigned i = index_of(name, length);
    return i < KNOWN ? 1u << i : 0;
}

bool tg_set_backends(const char *list)
{
    unsigned bits = list && *list ? 1 | NAMED : NAMED - 1;
    while (list && *list) {
        size_t length = strcspn(list, ",");
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

/* ---- libraries ---- */

void tg_backend_is_missing(const char *name, const char *why)
{
    const unsigned i = index_of(name, strlen(name));
    if (i < KNOWN) atomic_store(&missing[i], why);
}

/* Why a backend that the user named cannot be used; NULL: it can, or was not named. */
static const char *why_missing(const tg_kernel *kernel)
{
    const unsigned bits = allowed_now();
    if (!kernel->backend || !(bits & NAMED)) return NULL;
    if (!kernel->run && bits & bit_of(kernel->backend, strlen(kernel->backend))) return "not in this build";
    const unsigned i = index_of(kernel->backend, strlen(kernel->backend));
    return i < KNOWN && bits & 1u << i ? atomic_load(&missing[i]) : NULL;
}

void tg_fail_to_choose(tg_scope *s, const tg_call *c)
{
    for (const tg_kernel *const *k = c->op->kernels; k && *k; k++) {
        const char *const why = why_missing(*k);
        if (why) {
            tg_fail(s,
                    "%s: the backend %s was asked for (TG_BACKEND, tg_set_backends) but cannot be used: %s; make it "
                    "available, or leave it out of the list",
                    c->op->name, (*k)->backend, why);
            return;
        }
    }
    tg_fail(s, "%s: no kernel can run this call", c->op->name);
}

/* ---- the choice ---- */

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
    for (const tg_kernel *const *k = c->op->kernels; k && *k; k++) {
        if (!tg_kernel_refusal(*k, c)) return *k;
        if (why_missing(*k)) return NULL;
    }
    return NULL;
}
