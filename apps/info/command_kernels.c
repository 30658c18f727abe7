/* command_kernels.c - `tilegrad kernels`: each operator's kernel on this machine, and why the others can't run. */
#include "command.h"
#include "dispatch.h"
#include "options.h"
#include "output.h"
#include "tour.h"
#include <stdlib.h>
#include <string.h>

enum { LIST = 'l' };

/* The first call seen of an operator on a kernel. */
typedef struct entry {
    const tg_op *op;
    const tg_kernel *kernel;
    char shapes[160];
    struct entry *next;
    const char *refusal[]; /* by index of the operator's kernels; NULL: it can run the call */
} entry;

typedef struct {
    tg_scope *scope; /* owns the entries */
    entry *first, **last;
} book;

typedef struct {
    char **names; /* operators to list; empty: all */
    int count;
    bool list;
} kernels_options;

/* ---- looking ---- */

static bool is_known(const book *b, const tg_call *c)
{
    for (const entry *e = b->first; e; e = e->next)
        if (e->op == c->op && e->kernel == c->kernel) return true;
    return false;
}

static void write_shapes(const tg_call *c, char *to, size_t size)
{
    size_t used = 0;
    for (int k = 0; k < c->op->n_in && used < size; k++) {
        tg_shape_text text;
        if (!c->in[k]) continue;
        const char *const dtype = c->in[k]->dtype == TG_F32 ? "" : tg_dtype_name(c->in[k]->dtype);
        used += (size_t)snprintf(to + used, size - used, "%s%s%s", used ? " " : "", dtype, tg_shape(c->in[k], &text));
    }
}

static void record_call(void *context, const tg_call *c)
{
    book *const b = context;
    size_t kernels = 0;
    while (c->op->kernels[kernels]) kernels++;
    entry *const e = is_known(b, c) ? NULL : tg_alloc(b->scope, sizeof *e + kernels * sizeof *e->refusal);
    if (!e) return;
    *e = (entry){ .op = c->op, .kernel = c->kernel };
    write_shapes(c, e->shapes, sizeof e->shapes);
    for (int i = 0; c->op->kernels[i]; i++) {
        const char *const why = tg_kernel_refusal(c->op->kernels[i], c);
        e->refusal[i] = why ? tg_strdup(b->scope, why) : NULL;
    }
    *b->last = e;
    b->last = &e->next;
}

/* ---- telling ---- */

static void print_entry(const entry *e)
{
    bool later = false;
    const char *comma = "";
    printf("  %-22s%s%s\n", e->kernel->name, *e->shapes ? " for " : "", e->shapes);
    for (int i = 0; e->op->kernels[i]; i++)
        if (e->refusal[i]) printf("    not %s: %s\n", e->op->kernels[i]->name, e->refusal[i]);
    for (int i = 0; e->op->kernels[i]; i++) {
        if (later && !e->refusal[i]) {
            printf("%s%s", *comma ? comma : "    comes before ", e->op->kernels[i]->name);
            comma = ", ";
        }
        later = later || e->op->kernels[i] == e->kernel;
    }
    if (*comma) printf("\n");
}

static void print_operator(const book *b, const tg_op *op)
{
    bool seen = false;
    printf("%s\n", op->name);
    for (const entry *e = b->first; e; e = e->next) {
        if (e->op != op) continue;
        print_entry(e);
        seen = true;
    }
    if (op->alias) printf("  nothing runs: the same numbers in another shape\n");
    else if (!seen && op->kernels) {
        printf("  in this order:");
        for (int i = 0; op->kernels[i]; i++) printf(" %s", op->kernels[i]->name);
        printf("\n");
    }
}

static bool is_asked(const kernels_options *o, const tg_op *op)
{
    for (int i = 0; i < o->count; i++)
        if (!strcmp(o->names[i], op->name)) return true;
    return o->count == 0;
}

static bool is_operator(const tg_op *op)
{
    const tg_op *const *all = tg_operators();
    while (*all && *all != op) all++;
    return *all;
}

/* The operators of ops/, then the others seen: the core's, optimizers'. */
static void print_all(const kernels_options *o, const book *b)
{
    for (const tg_op *const *op = tg_operators(); *op; op++)
        if (is_asked(o, *op)) print_operator(b, *op);
    for (const entry *e = b->first; e; e = e->next) {
        bool again = is_operator(e->op);
        for (const entry *f = b->first; f != e; f = f->next) again = again || f->op == e->op;
        if (!again && is_asked(o, e->op)) print_operator(b, e->op);
    }
}

static bool is_name(const book *b, const char *text)
{
    for (const tg_op *const *op = tg_operators(); *op; op++)
        if (!strcmp((*op)->name, text)) return true;
    for (const entry *e = b->first; e; e = e->next)
        if (!strcmp(e->op->name, text)) return true;
    return false;
}

static int print_selected(const kernels_options *o, const book *b)
{
    output_text name;
    for (int i = 0; i < o->count; i++) {
        if (is_name(b, o->names[i])) continue;
        fprintf(stderr, "tilegrad kernels: no operator '%s': see tilegrad kernels --list\n",
                output_name(o->names[i], &name));
        return EXIT_USAGE;
    }
    print_all(o, b);
    return EXIT_OK;
}

static int list(void)
{
    for (const tg_op *const *op = tg_operators(); *op; op++) printf("%s\n", (*op)->name);
    return EXIT_OK;
}

/* ---- the command line ---- */

static error_t parse(int key, char *text, struct argp_state *state)
{
    kernels_options *const o = state->input;
    switch (key) {
    case LIST: o->list = true; return 0;
    case ARGP_KEY_ARG: o->names[o->count++] = text; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    { "list", LIST, NULL, 0, "print only the names of the operators", 0 },
    { 0 },
};

static const char about[] =
    "Lists for each operator the kernels that would run here, at which shapes, and why the others would not.\v"
    "The calls are those of training and inference with networks of usual sizes, and more for operators that "
    "these don't use; fused operators appear with the operators that they consist of.\n\n"
    "Examples:\n"
    "  tilegrad kernels\n"
    "  tilegrad kernels conv2d conv2d_grad_w\n"
    "  TG_BACKEND=ref,vector TG_MAX_ISA=avx2 tilegrad kernels linear";

int command_kernels(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "[OPERATOR...]", about, NULL, NULL, NULL };
    tg_scope *const scope = tg_open();
    kernels_options o = { .names = tg_alloc(scope, sizeof *o.names * (size_t)argc) };
    book b = { .scope = scope, .last = &b.first };
    char message[256] = "";
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    int status = EXIT_FAILED;
    if (o.list) status = list();
    else if (tour(record_call, &b, message)) status = print_selected(&o, &b);
    else fprintf(stderr, "tilegrad kernels: %s\n", message);
    tg_close(scope);
    return status;
}
