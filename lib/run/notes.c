/* notes.c - lines and calls that a run takes notes of.  See explain.h. */
#include "explain.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *tg_note_keep(tg_list *l, const char *text)
{
    char *const copy = tg_run_take(l, strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

void tg_note(tg_list *l, tg_text *to, const char *format, ...)
{
    char text[TG_NOTE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tg_line *const line = tg_run_take(l, sizeof *line + strlen(text) + 1);
    if (!line) return;
    strcpy(line->text, text);
    if (to->last) to->last->next = line;
    else to->first = line;
    to->last = line;
}

tg_fate *tg_fate_of(tg_list *l, const tg_call *c)
{
    tg_notes *const notes = l->notes;
    for (int i = 0; i < notes->n; i++)
        if (notes->fates[i].call == c) return notes->fates + i;
    if (notes->n == notes->capacity) return NULL;
    notes->fates[notes->n].call = c;
    return notes->fates + notes->n++;
}
