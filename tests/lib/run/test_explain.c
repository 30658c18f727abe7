/* test_explain.c - what TG_VERBOSE=rewrite says of small lists, and the graphs that TG_VERBOSE=graph writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <tilegrad/tilegrad.h>
#include "explain_ops.h"
#include "run.h"

enum { SAID = 16384, FAR = 40 };

typedef struct {
    tg_scope *s;
    tg_tensor *x, *p; /* leaves of N elements */
} place;

/* ---- what the library prints ---- */

static FILE *said;
static int stderr_before;

static void listen(void)
{
    fflush(stderr);
    said = tmpfile();
    stderr_before = dup(2);
    assert_true(said && stderr_before >= 0 && dup2(fileno(said), 2) == 2);
}

static void stop_listening(char text[SAID])
{
    fflush(stderr);
    assert_int_equal(dup2(stderr_before, 2), 2);
    close(stderr_before);
    rewind(said);
    text[fread(text, 1, SAID - 1, said)] = '\0';
    fclose(said);
}

/* ---- lists ---- */

static tg_tensor *a_chain(place p) { return tail(p.s, head(p.s, p.x, NULL), NULL); }
static tg_tensor *a_head(place p) { return head(p.s, p.x, NULL); }
static tg_tensor *another_reader(place p) { return tg_relu(p.s, head(p.s, p.x, NULL)); }
static tg_tensor *in_slot_1(place p) { return tail(p.s, p.x, head(p.s, p.x, NULL)); }
static tg_tensor *in_another_shape(place p)
{
    return tail(p.s, tg_reshape(p.s, head(p.s, p.x, NULL), 2, TG_DIM(2, N / 2)), NULL);
}

static tg_tensor *of_rank_2(place p)
{
    return tail(p.s, head(p.s, tg_reshape(p.s, p.x, 2, TG_DIM(2, N / 2)), NULL), NULL);
}

static tg_tensor *far_apart(place p)
{
    tg_tensor *const h = head(p.s, p.x, NULL), *y = p.x;
    for (int i = 0; i < FAR; i++) y = tg_relu(p.s, y);
    return tg_add(p.s, y, tail(p.s, h, NULL));
}

static tg_tensor *read_twice(place p)
{
    tg_tensor *const h = head(p.s, p.x, NULL);
    return tg_add(p.s, tail(p.s, h, NULL), tg_relu(p.s, h));
}

static tg_tensor *around_a_write(place p)
{
    tg_tensor *const h = head(p.s, p.x, p.p);
    poke(p.s, p.p);
    return tail(p.s, h, p.p);
}

static tg_tensor *held(place p)
{
    tg_leave(p.s, NULL);
    tg_tensor *const y = tail(p.s, head(p.s, p.x, NULL), NULL);
    tg_data(y);
    tg_enter(p.s, "held");
    return tail(p.s, y, NULL);
}

static tg_tensor *cheap_and_late(place p)
{
    tg_tensor *const c = cheap(p.s, p.x);
    tg_tensor *const y = tg_relu(p.s, tg_relu(p.s, tg_relu(p.s, c)));
    return tg_add(p.s, y, c);
}

static tg_tensor *cheap_and_early(place p) { return tg_relu(p.s, tg_relu(p.s, cheap(p.s, p.x))); }
static tg_tensor *in_pieces(place p) { return taker(p.s, maker(p.s, p.x)); }
static tg_tensor *pieces_for_one_task(place p) { return tail(p.s, maker(p.s, p.x), NULL); }
static tg_tensor *pieces_for_two(place p)
{
    tg_tensor *const m = maker(p.s, p.x);
    return tg_add(p.s, taker(p.s, m), tail(p.s, m, NULL));
}

static tg_tensor *whole_for_a_taker(place p) { return taker(p.s, head(p.s, p.x, NULL)); }
static tg_tensor *packed(place p) { return packer(p.s, p.x, p.p); }

static const struct {
    const char *name;
    tg_tensor *(*list)(place p);
    const char *line;
} rows[] = {
    { "fused", a_chain, "rewrite head [8] fused: part of head_tail" },
    { "fused_too", a_chain, "rewrite tail [8] fused_too: part of head_tail" },
    { "unread", a_head,
      "rewrite head [8] unread: not head_tail: nothing in this run reads the output of head unread, want tail" },
    { "other", another_reader,
      "rewrite head [8] other: not head_tail: relu other reads the output of head other, want tail" },
    { "no_rule", another_reader, "rewrite relu [8] no_rule: no rule begins with relu" },
    { "slot", in_slot_1,
      "rewrite head [8] slot: not head_tail: tail reads the output of head slot as in[1], want in[0]" },
    { "shape", in_another_shape,
      "rewrite head [8] shape: not head_tail: tail reads the output of head shape in another shape" },
    { "unfit", of_rank_2, "rewrite head [2, 4] unfit: not head_tail: want other attributes, shapes or dtypes" },
    { "far", far_apart,
      "rewrite head [8] far: not head_tail: tail reads the output of head far 41 calls later, want fewer than 32" },
    { "twice", read_twice,
      "rewrite head [8] twice: not head_tail: relu twice reads out[0] of head twice, which head_tail does not return" },
    { "write", around_a_write,
      "rewrite head [8] [8] write: not head_tail: poke write depends on one link, and a later link on it" },
    { "held", held,
      "rewrite head [8]: not head_tail: the program may read out[0] of head, which head_tail does not return" },
    { "late", cheap_and_late, "recompute cheap [8] late: computed again before add late" },
    { "early", cheap_and_early, "recompute cheap [8] early: kept: nothing reads it after the peak" },
    { "pieces", in_pieces, "epilogue maker [8] pieces: taker runs in its tasks" },
    { "one_task", pieces_for_one_task,
      "epilogue maker [8] one_task: none: the reader's kernel takes no pieces (tail)" },
    { "two", pieces_for_two, "epilogue maker [8] two: none: several calls read its output" },
    { "whole", whole_for_a_taker, "epilogue head [8] whole: none: its kernel makes no pieces (taker)" },
    { "packed", packed,
      "pack packer [8] [8] packed: in[1] as plain, 0.0 KiB, in scratch: tg_optimize has not prepared it" },
};
enum { ROWS = sizeof rows / sizeof *rows };

static void run(const char *name, tg_tensor *(*list)(place p), bool fuse, char text[SAID])
{
    tg_scope *const root = tg_open(), *const s = tg_push(root);
    tg_tree_options(root)->recompute = TG_RECOMPUTE_ALL;
    tg_tree_options(root)->fuse = fuse;
    const place p = { s, tg_full(root, 1, 1, TG_DIM(N)), tg_full(root, 2, 1, TG_DIM(N)) };
    listen();
    tg_enter(s, name);
    tg_data(tg_leave(s, list(p)));
    stop_listening(text);
    assert_string_equal(tg_message(s), "");
    tg_close(root);
}

static bool has_line(const char *text, const char *line)
{
    char want[512];
    snprintf(want, sizeof want, "tilegrad: %s\n", line);
    return strstr(text, want);
}

static void each_list_explains_itself(void **state)
{
    static char text[SAID];
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        run(rows[i].name, rows[i].list, true, text);
        if (!has_line(text, rows[i].line)) fail_msg("%s: want the line\n%s\nin\n%s", rows[i].name, rows[i].line, text);
    }
    run("off", a_chain, false, text);
    assert_true(has_line(text, "rewrite head [8] off: rewriting is off"));
}

static void a_list_is_explained_once(void **state)
{
    static char text[SAID];
    (void)state;
    run("once", a_chain, true, text);
    assert_true(has_line(text, "rewrite: 2 calls recorded, 1 to run"));
    run("once", a_chain, true, text);
    assert_string_equal(text, "");
}

/* ---- graphs ---- */

static void name_of_graph(int i, char name[64]) { snprintf(name, 64, "tilegrad-%ld-%d.dot", (long)getpid(), i); }

static bool is_label(const char *at, const char *end) /* "..", where \ protects what follows */
{
    if (end - at < 2 || *at != '"' || end[-1] != '"') return false;
    for (at++; at < end - 1; at++) {
        if (*at == '"') return false;
        if (*at == '\\') at++;
    }
    return at == end - 1;
}

/* A line of a graph, without spaces around; nodes' names are collected, arrows may only join known ones. */
static bool is_statement(const char *line, int *depth, bool known[2][64])
{
    char kind[2][16], rest[400] = "";
    int a, b, used = 0;
    if (!strcmp(line, "digraph tilegrad {")) return (*depth)++ == 0;
    if (!strncmp(line, "subgraph cluster_", 17) && line[strlen(line) - 1] == '{') return (*depth)++ == 1;
    if (!strcmp(line, "}")) return --*depth >= 0;
    if (!strcmp(line, "node [shape=box];")) return *depth == 1;
    if (!strncmp(line, "label=", 6)) return *depth == 2 && is_label(line + 6, line + strlen(line) - 1);
    if (sscanf(line, "%15[a-z]%d -> %15[a-z]%d%n", kind[0], &a, kind[1], &b, &used) == 4 && used)
        return a >= 0 && a < b && b < 64 && known[*kind[0] == 'r' && kind[0][1] == 'u'][a] &&
               !strcmp(kind[0], kind[1]) && known[kind[1][1] == 'u'][b] && line[strlen(line) - 1] == ';';
    if (sscanf(line, "%15[a-z]%d [label=%399[^\n]", kind[0], &a, rest) != 3 || a < 0 || a >= 64) return false;
    known[kind[0][1] == 'u'][a] = true;
    char *const end = strchr(rest + 1, ']') ? strrchr(rest, ']') : NULL;
    char *const style = strstr(rest, ", s");
    return *depth == 2 && end && !strcmp(end, "];") && is_label(rest, style ? style : end);
}

static void check_graph(const char *name, int nodes[2])
{
    bool known[2][64] = { { false } };
    char line[2048];
    int depth = 0;
    FILE *const f = fopen(name, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!is_statement(line + strspn(line, " "), &depth, known)) fail_msg("%s: no statement: %s", name, line);
    }
    fclose(f);
    assert_int_equal(depth, 0);
    for (int k = 0; k < 2; k++)
        for (nodes[k] = 0; known[k][nodes[k]];) nodes[k]++;
}

static void a_graph_is_a_new_file(void **state)
{
    static char text[SAID];
    char name[64], line[128];
    int i = 1, nodes[2];
    (void)state;
    for (name_of_graph(i, name); !access(name, F_OK); name_of_graph(i, name)) i++;
    FILE *const ours = fopen(name, "w");
    assert_true(ours && fputs("ours", ours) >= 0 && !fclose(ours));
    run("a \"graph\" \\", in_pieces, true, text);
    name_of_graph(i + 1, name);
    snprintf(line, sizeof line, "graph: %s", name);
    if (!has_line(text, line)) fail_msg("want %s in\n%s", line, text);
    check_graph(name, nodes);
    assert_int_equal(nodes[0], 2);
    assert_int_equal(nodes[1], 2);
    run("fusion", a_chain, true, text);
    name_of_graph(i + 2, name);
    check_graph(name, nodes);
    assert_int_equal(nodes[0], 2);
    assert_int_equal(nodes[1], 1);
    name_of_graph(i, name);
    FILE *const still = fopen(name, "r");
    assert_true(still && fgets(line, sizeof line, still));
    fclose(still);
    assert_string_equal(line, "ours");
}

static void remove_graphs(const char *folder)
{
    char name[64];
    int i = 1;
    for (name_of_graph(i, name); !remove(name); name_of_graph(i, name)) i++;
    if (!chdir("/")) rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(each_list_explains_itself),
        cmocka_unit_test(a_list_is_explained_once),
        cmocka_unit_test(a_graph_is_a_new_file),
    };
    char folder[] = "/tmp/tilegrad-explain-XXXXXX";
    setenv("TG_VERBOSE", "rewrite,graph", 1);
    if (!mkdtemp(folder) || chdir(folder)) return 1;
    const int failed = cmocka_run_group_tests(list, NULL, NULL);
    remove_graphs(folder);
    return failed != 0;
}
