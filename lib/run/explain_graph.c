/* explain_graph.c - TG_VERBOSE=graph: the list as recorded and as it runs, for Graphviz. */
#include "explain.h"
#include "trace.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LABEL = 512, MOST_FILES = 10000 };

/* ---- one list: a cluster ---- */

/* text, as much of it as fits, so that it may stand between quotes. */
static void add_quoted(char label[LABEL], const char *text, size_t most)
{
    size_t at = strlen(label);
    for (size_t i = 0; text[i] && i < most && at + 2 < LABEL; i++) {
        if (text[i] == '"' || text[i] == '\\') label[at++] = '\\';
        label[at++] = text[i] >= 0 && text[i] < ' ' ? ' ' : text[i];
    }
    label[at] = '\0';
}

/* Operator, module and the shape of the first output, or of what an effect writes. */
static void label_of(const tg_call *c, char label[LABEL])
{
    const tg_tensor *const t = c->out[0] ? c->out[0] : c->in[0];
    tg_shape_text shape;
    label[0] = '\0';
    add_quoted(label, c->op->name, 64);
    if (*c->where) strcat(label, "\\n");
    add_quoted(label, c->where, 64);
    if (!t) return;
    strcat(label, "\\n");
    strcat(strcat(strcat(label, tg_dtype_name(t->dtype)), " "), tg_shape(t, &shape));
}

static const char *style_of(const tg_list *l, const tg_call *c)
{
    for (int i = l->notes->recorded; i < l->notes->n; i++)
        if (l->notes->fates[i].call == c) return ", style=filled, fillcolor=lightblue";
    if (c->again) return ", style=filled, fillcolor=lightyellow";
    return c->op->writes ? ", shape=box, peripheries=2" : "";
}

static bool touches(const tg_call *c, const tg_storage *t)
{
    TG_EACH_OUT(c, k)
        if (c->out[k]->storage == t) return true;
    TG_EACH_IN(c, k)
        if (tg_writes(c, k) && c->in[k]->storage == t) return true;
    return false;
}

/* An arrow from the call before call i that made or last wrote each of its inputs. */
static void add_arrows(tg_list *l, const char *cluster, int i)
{
    TG_EACH_IN(l->at[i], k) {
        const tg_tensor *const t = l->at[i]->in[k];
        int j = i - 1;
        while (j >= 0 && !touches(l->at[j], t->storage)) j--;
        if (j < 0) continue;
        const bool epilogue = l->at[j]->epilogue == l->at[i];
        tg_note(l, &l->notes->graph, "    %s%d -> %s%d%s;", cluster, j, cluster, i,
                epilogue ? " [style=bold, label=\"epilogue\"]" : "");
    }
}

static void add_cluster(tg_list *l, const char *cluster, const char *title)
{
    tg_text *const to = &l->notes->graph;
    char label[LABEL];
    tg_note(l, to, "  subgraph cluster_%s {", cluster);
    tg_note(l, to, "    label=\"%s: %d calls\";", title, l->n);
    for (int i = 0; i < l->n; i++) {
        label_of(l->at[i], label);
        tg_note(l, to, "    %s%d [label=\"%s\"%s];", cluster, i, label, style_of(l, l->at[i]));
    }
    for (int i = 0; i < l->n; i++) add_arrows(l, cluster, i);
    tg_note(l, to, "  }");
}

/* ---- the file ---- */

void tg_graph_begin(tg_list *l)
{
    tg_note(l, &l->notes->graph, "digraph tilegrad {");
    tg_note(l, &l->notes->graph, "  node [shape=box];");
    add_cluster(l, "recorded", "recorded");
}

/* The first name that no file has yet. */
static FILE *new_file(char name[64])
{
    FILE *f = NULL;
    for (int i = 1; !f && i <= MOST_FILES; i++) {
        snprintf(name, 64, "tilegrad-%ld-%d.dot", (long)getpid(), i);
        f = fopen(name, "wx");
        if (!f && errno != EEXIST) break;
    }
    return f;
}

static void write_graph(const tg_text *graph)
{
    char name[64];
    FILE *const f = new_file(name);
    bool good = f;
    for (const tg_line *line = graph->first; f && line; line = line->next)
        good = fprintf(f, "%s\n", line->text) > 0 && good;
    if (f) good = !fclose(f) && good;
    if (good) fprintf(stderr, "tilegrad: graph: %s\n", name);
    else fprintf(stderr, "tilegrad: graph: cannot write %s: %s\n", name, strerror(errno));
}

void tg_graph_end(tg_list *l)
{
    uint64_t hash = TG_TRACE_HASH;
    add_cluster(l, "run", "run");
    tg_note(l, &l->notes->graph, "}");
    for (const tg_line *line = l->notes->graph.first; line; line = line->next) hash = tg_trace_hash(hash, line->text);
    if (tg_trace_is_new(hash)) write_graph(&l->notes->graph);
}
