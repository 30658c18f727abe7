/* environment.c - checks the TG_ variables' values and finds misspelt names.  See environment.h. */
#include "environment.h"
#include "ints.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { MAX_NAME = 32, MAX_DISTANCE = 2 };

/* values: those that the variable accepts; NULL: any text.  list: accepts several of them, separated by commas. */
static const struct {
    const char *name, *values;
    bool list;
} known[] = {
    { "TG_VERBOSE", "0,1,dispatch,rewrite,graph", true },
    { "TG_BACKEND", "ref,vector,openblas,onednn,brgemm", true },
    { "TG_MAX_ISA", "generic,avx2,avx512,avx512_bf16,amx", false },
    { "TG_WINOGRAD", "0,1", false },
    { "TG_EAGER", "0,1", false },
    { "TG_FUSE", "0,1", false },
    { "TG_RECOMPUTE", "0,1,all", false },
    { "TG_EPILOGUE", "0,1", false },
    { "TG_BIND", "0,1", false },
    { "TG_ABORT", "0,1", false },
    { "TG_ASSUME_AMX", "0,1", false },
    { "TG_FASHION_MNIST_DIR", NULL, false },
    { "TG_SAMPLE_DIR", NULL, false },
    { "TG_DATA_DIR", NULL, false },
};
enum { KNOWN = sizeof known / sizeof *known };

static bool is_in_list(const char *values, const char *word, size_t length)
{
    for (const char *at = values; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && !strncmp(at, word, length)) return true;
    return false;
}

static bool is_valid(int i, const char *value)
{
    if (!known[i].values || !*value) return true;
    if (!known[i].list) return is_in_list(known[i].values, value, strlen(value));
    for (; *value; value += strcspn(value, ","), value += *value == ',')
        if (!is_in_list(known[i].values, value, strcspn(value, ","))) return false;
    return true;
}

bool tg_environment_wrong(char *text, size_t size)
{
    for (int i = 0; i < KNOWN; i++) {
        const char *const value = getenv(known[i].name);
        if (!value || is_valid(i, value)) continue;
        snprintf(text, text ? size : 0, "%s=%.64s in the environment: want %s%s", known[i].name, value,
                 known[i].list ? "a list of " : "one of ", known[i].values);
        return true;
    }
    return false;
}

/* ---- misspelt names ---- */

/* The Levenshtein distance between a[0 .. n) and b. */
static int distance(const char *a, int n, const char *b)
{
    const int m = (int)strlen(b);
    int row[MAX_NAME + 1];
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = imin(changed, 1 + imin(row[j], row[j - 1]));
        }
    }
    return row[m];
}

static const char *nearest(const char *name, int length)
{
    const char *found = NULL;
    int best = MAX_DISTANCE + 1;
    for (int i = 0; i < KNOWN; i++) {
        const int edits = distance(name, length, known[i].name);
        if (!edits) return NULL;
        if (edits < best) best = edits, found = known[i].name;
    }
    return found;
}

const char *tg_environment_warning(void)
{
    static _Thread_local char text[512];
    size_t used = 0;
    text[0] = '\0';
    for (char **e = environ; *e && used < sizeof text; e++) {
        const int length = (int)strcspn(*e, "=");
        if (strncmp(*e, "TG_", 3) || length > MAX_NAME) continue;
        const char *const suggestion = nearest(*e, length);
        if (suggestion)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s in the environment is not read: %s is",
                                     used ? "; " : "", length, *e, suggestion);
    }
    return text;
}
