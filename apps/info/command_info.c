/* command_info.c - `tilegrad info`: prints version, processor, backends and threads. */
#include "command.h"
#include "dispatch.h"
#include "machine.h"
#include "options.h"
#include "output.h"
#include "processors.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_processor(void)
{
    printf("processor    %s\n", tg_cpu_name());
    printf("  flags      %s\n", tg_cpu_flags());
    printf("  used       %s", tg_isa_name(tg_max_isa()));
    if (tg_max_isa() != tg_cpu_isa()) printf(" (TG_MAX_ISA; the processor has %s)", tg_isa_name(tg_cpu_isa()));
    printf("\n\n");
}

static void print_step(const char *what, bool yes) { printf("  %-41s%s\n", what, yes ? "yes" : "no"); }

static void print_amx(void)
{
    const tg_amx_probe p = tg_probe_amx();
    printf("AMX          %s%s\n", p.product ? "present" : "not here",
           p.assumed ? " (TG_ASSUME_AMX: only the product counts)" : "");
    print_step("CPUID has AMX-TILE and AMX-BF16", p.cpuid);
    print_step("XCR0: the system saves tile registers", p.xcr0);
    print_step("arch_prctl gave permission", p.permission);
    print_step("a tile product gave the right numbers", p.product);
    printf("\n");
}

static void print_threads(void)
{
    printf("threads      %d of %d processors, %s\n", tg_threads(), tg_processors(),
           tg_threads_bound() ? "each worker bound to one" : "not bound");
    if (tg_quota_here() > 0) printf("  CPU quota  %g processors\n", tg_quota_here());
    printf("\n");
}

/* Loading libraries would reserve hundreds of megabytes of address space. */
static void print_library(const char *name, const char *file)
{
    printf("  %-11s%s%s\n", name, file ? file : "not in this build", file ? ", loaded when it is first needed" : "");
}

static void print_backends(void)
{
    printf("backends     %s may be used\n", tg_backends());
    printf("  ref        plain C, the definition of each operator\n");
    printf("  vector     loops for avx512, avx2 and any processor\n");
    print_library("openblas", machine_openblas_file());
    print_library("onednn", machine_onednn_file());
}

static void print_environment(void)
{
    static const char *const prefixes[] = { "TG_", "OMP_", "GOMP_", "OPENBLAS_", "ONEDNN_", "DNNL_" };
    const char *title = "\nenvironment\n";
    output_text text;
    for (char **e = environ; *e; e++)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
            if (strncmp(*e, prefixes[i], strlen(prefixes[i]))) continue;
            printf("%s  %s\n", title, output_name(*e, &text));
            title = "";
        }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    argp_error(state, "too many arguments: '%s'", text);
    return 0;
}

int command_info(int argc, char **argv)
{
    static const struct argp parser = {
        .parser = parse,
        .doc = "Prints the version, the processor's capabilities, the backends and the number of threads.\v"
               "Examples:\n  tilegrad info\n  TG_MAX_ISA=avx2 TG_BACKEND=ref,vector tilegrad info"
    };
    argp_parse(&parser, argc, argv, 0, NULL, NULL);
    printf("tilegrad     %s\n\n", TG_VERSION);
    print_processor();
    print_amx();
    print_threads();
    print_backends();
    print_environment();
    return EXIT_OK;
}
