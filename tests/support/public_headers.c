/* public_headers.c - see public_headers.h.  Headers are read as text: comments and macros are blanked out first. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "public_headers.h"

static char *read_header(const char *name)
{
    char path[512], *source = calloc(1, 65536);
    snprintf(path, sizeof path, "%s/tilegrad/%s", TG_INCLUDE, name);
    FILE *const from = fopen(path, "r");
    if (!from || !source || !fread(source, 1, 65535, from)) fail_msg("%s cannot be read", path);
    fclose(from);
    return source;
}

/* Blanks out everything between these two texts, wherever they occur. */
static void blank(char *source, const char *from, const char *to)
{
    for (char *at = source; (at = strstr(at, from));) {
        char *end = strstr(at + strlen(from), to);
        if (!end) return;
        memset(at, ' ', (size_t)(end - at) + strlen(to));
    }
}

static const char *closing(const char *open)
{
    int depth = 0;
    for (; *open; open++) {
        depth += (*open == '(') - (*open == ')');
        if (!depth) break;
    }
    return open;
}

/* A declaration is tg_name followed by a parenthesis, outside all other parentheses. */
static void each_declared(const char *source, void (*visit)(const char *, const char *, void *), void *context)
{
    int depth = 0;
    for (const char *at = source; *at; at++) {
        bool within = at > source && (isalnum((unsigned char)at[-1]) || at[-1] == '_');
        depth += (*at == '(' || *at == '{') - (*at == ')' || *at == '}');
        if (depth || within || strncmp(at, "tg_", 3)) continue;
        size_t length = 0;
        while (isalnum((unsigned char)at[length]) || at[length] == '_') length++;
        const char *next = at + length + strspn(at + length, " ");
        if (*next == '(') {
            char *name = strndup(at, length), *parameters = strndup(next + 1, (size_t)(closing(next) - next - 1));
            if (name && parameters) visit(name, parameters, context);
            free(name);
            free(parameters);
        }
        at += length - 1;
    }
}

void each_public_function(void (*visit)(const char *name, const char *parameters, void *context), void *context)
{
    char *all = read_header("tilegrad.h");
    for (char *at = all; (at = strstr(at, "#include \"")); at++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 10, "\""), at + 10);
        char *header = read_header(name);
        blank(header, "/*", "*/");
        blank(header, "#ifdef __cplusplus", "#endif");
        blank(header, "#define", "\n");
        each_declared(header, visit, context);
        free(header);
    }
    free(all);
}
