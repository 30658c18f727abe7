/* check_loss.c - a custom operator: the identity on finite numbers, an error on others.
 *
 * Effects (the update, running statistics) run after everything that can fail, so a failure leaves them undone. */
#include "check_loss.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }

static void backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)s, (void)c;
    gin[0] = gout[0];
}

static void run(const tg_call *c, const tg_task *task)
{
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) {
        const double x = tg_get(c->in[0], i);
        if (!isfinite(x)) tg_fault_say(task->fault, 0, "the loss is %g", x);
        tg_set(c->out[0], i, x);
    }
}

static const tg_kernel kernel = { .name = "ref", .backend = "ref", .run = run };
static const tg_op op = {
    .name = "check_loss",
    .n_in = 1,
    .n_out = 1,
    .infer = infer,
    .backward = backward,
    .kernels = (const tg_kernel *const[]){ &kernel, NULL },
};

tg_tensor *check_loss(tg_scope *s, tg_tensor *loss) { return tg_apply(s, &op, &loss, NULL); }
bool check_loss_failed(const tg_scope *s) { return strstr(tg_message(s), "check_loss: the loss is") != NULL; }

static bool all_finite(tg_tensor *t)
{
    for (int64_t i = 0; tg_data(t) && i < tg_count(t); i++)
        if (!isfinite(tg_get(t, i))) return false;
    return true;
}

/* Traces non-finite values back to the call that computed them from finite ones. */
static const char *origin(tg_scope *s, tg_tensor *t)
{
    const tg_call *const c = tg_made_by(t);
    if (!c) return "a weight or an image";
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && !all_finite(c->in[k])) return tg_made_by(c->in[k]) ? origin(s, c->in[k]) : "a weight";
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", c->op->name, *c->where ? " in layer " : "", c->where);
    return tg_strdup(s, text);
}

const char *check_loss_origin(tg_scope *s, tg_module *net, tg_tensor *x)
{
    tg_tensor *const y = tg_forward(s, net, x);
    if (!all_finite(x)) return "the images";
    if (all_finite(y)) return "the loss";
    return origin(s, y);
}
