/* explain_rewrite.c - why a rule's chain did not become a fused call. */
#include "explain.h"
#include <stdio.h>
#include <string.h>

/* "relu" or "relu layer1.0.relu1" */
typedef struct {
    char text[192];
} call_name;

static char *name_of(const tg_call *c, call_name *buffer)
{
    snprintf(buffer->text, sizeof buffer->text, "%.60s%s%.120s", c->op->name, *c->where ? " " : "", c->where);
    return buffer->text;
}

static bool reads(const tg_call *c, const tg_storage *t)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == t) return true;
    return false;
}

static bool is_link(const tg_chain *c, const tg_call *call)
{
    for (int j = 0; j < c->length; j++)
        if (c->call[j] == call) return true;
    return false;
}

/* ---- no link ---- */

/* The call has the operator that the chain wants next, and reads the link before it, but not as the rule wants. */
static void wrong_reader(const tg_chain *c, const tg_call *reader, int distance, char text[TG_NOTE_BYTES])
{
    const tg_tensor *const t = c->call[c->length - 1]->out[0];
    call_name last;
    int slot = -1;
    name_of(c->call[c->length - 1], &last);
    TG_EACH_IN(reader, k)
        if (reader->in[k] == t) slot = k;
    if (slot < 0)
        snprintf(text, TG_NOTE_BYTES, "%s reads the output of %s in another shape", reader->op->name, last.text);
    else if (slot > reader->op->commutes)
        snprintf(text, TG_NOTE_BYTES, "%s reads the output of %s as in[%d], want in[0]", reader->op->name, last.text,
                 slot);
    else
        snprintf(text, TG_NOTE_BYTES, "%s reads the output of %s %d calls later, want fewer than %d", reader->op->name,
                 last.text, distance, TG_WINDOW);
}

static void no_link(const tg_list *l, const tg_chain *c, char text[TG_NOTE_BYTES])
{
    const tg_op *const want = c->rule->chain[c->length];
    const int from = c->at[c->length - 1];
    const tg_call *const last = c->call[c->length - 1], *other = NULL;
    call_name name, reader;
    for (int i = from + 1; i < l->n && last->out[0]; i++) {
        if (!l->at[i] || !reads(l->at[i], last->out[0]->storage)) continue;
        if (l->at[i]->op == want) {
            wrong_reader(c, l->at[i], i - from, text);
            return;
        }
        if (!other) other = l->at[i];
    }
    name_of(last, &name);
    if (other)
        snprintf(text, TG_NOTE_BYTES, "%s reads the output of %s, want %s", name_of(other, &reader), name.text,
                 want->name);
    else snprintf(text, TG_NOTE_BYTES, "nothing in this run reads the output of %s, want %s", name.text, want->name);
}

/* ---- an output is wanted ---- */

static bool is_missed(const tg_list *l, const tg_chain *c, int j, int k)
{
    const tg_storage *const t = c->call[j]->out[k]->storage;
    return tg_emitted_as(c->rule, j, k) < 0 && (tg_other_readers(c, j, k, t) > 0 || tg_wanted(l, t));
}

static void wanted(const tg_list *l, const tg_chain *c, int j, int k, char text[TG_NOTE_BYTES])
{
    const tg_storage *const t = c->call[j]->out[k]->storage;
    const tg_call *reader = NULL;
    call_name link, other;
    for (int i = 0; i < l->n && !reader; i++)
        if (l->at[i] && !is_link(c, l->at[i]) && reads(l->at[i], t)) reader = l->at[i];
    const char *who = tg_held(l, t) ? "the program may read" : "a later backward reads";
    if (reader) who = strcat(name_of(reader, &other), " reads");
    snprintf(text, TG_NOTE_BYTES, "%s out[%d] of %s, which %s does not return", who, k, name_of(c->call[j], &link),
             c->rule->fused->name);
}

static void first_wanted(const tg_list *l, const tg_chain *c, char text[TG_NOTE_BYTES])
{
    for (int j = 0; j < c->length; j++)
        TG_EACH_OUT(c->call[j], k)
            if (is_missed(l, c, j, k)) {
                wanted(l, c, j, k, text);
                return;
            }
}

void tg_misfit(const tg_list *l, const tg_chain *c, tg_outcome outcome, char text[TG_NOTE_BYTES])
{
    call_name name;
    if (outcome == TG_NO_LINK) no_link(l, c, text);
    if (outcome == TG_WANTED) first_wanted(l, c, text);
    if (outcome == TG_UNFIT) snprintf(text, TG_NOTE_BYTES, "want other attributes, shapes or dtypes");
    if (outcome == TG_BLOCKED)
        snprintf(text, TG_NOTE_BYTES, "%s depends on one link, and a later link on it", name_of(c->blocker, &name));
}
