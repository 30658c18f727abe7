/* state_number.c - converts numbers to and from metadata text, exactly and in any locale. */
#include "state_items.h"
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf and strtod use the locale's decimal point. */
static locale_t plain_locale(void)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain ? uselocale(plain) : (locale_t)0;
}

static void old_locale(locale_t old)
{
    if (old) freelocale(uselocale(old));
}

static void write_plain(const tg_state_item *item, char *text)
{
    const size_t size = TG_NUMBER_TEXT;
    switch (item->number) {
    case TG_INT: snprintf(text, size, "%" PRId64, *(const int64_t *)item->where); break;
    case TG_U64: snprintf(text, size, "%" PRIu64, *(const uint64_t *)item->where); break;
    case TG_FLOAT: snprintf(text, size, "%.9g", (double)*(const float *)item->where); break;
    case TG_DOUBLE: snprintf(text, size, "%.17g", *(const double *)item->where); break;
    case TG_FLAG: snprintf(text, size, "%s", *(const bool *)item->where ? "true" : "false"); break;
    case TG_CHOICE: snprintf(text, size, "%s", item->choices[*(const int *)item->where]); break;
    }
}

void tg_number_write(const tg_state_item *item, char text[TG_NUMBER_TEXT])
{
    const locale_t old = plain_locale();
    write_plain(item, text);
    old_locale(old);
}

/* ---- reading ---- */

static bool read_choice(tg_state_item *item, const char *text)
{
    int i = 0;
    while (item->choices[i] && strcmp(item->choices[i], text) != 0) i++;
    item->loaded.choice = i;
    return item->choices[i];
}

static bool read_flag(tg_state_item *item, const char *text)
{
    item->loaded.flag = !strcmp(text, "true");
    return item->loaded.flag || !strcmp(text, "false");
}

static bool within(const tg_state_item *item, double value) { return value >= item->least && value <= item->most; }

/* The number must take up all of the text, and (tg_number_read) integers must be spelled as tg_number_write does. */
static bool read_plain(tg_state_item *item, const char *text)
{
    char *end = NULL;
    tg_number *const v = &item->loaded;
    switch (item->number) {
    case TG_INT: v->i = strtoll(text, &end, 10); return !*end && v->i >= item->least_int && v->i <= item->most_int;
    case TG_U64: v->u = strtoull(text, &end, 10); return !*end;
    case TG_FLOAT: v->f = strtof(text, &end); return !*end && within(item, (double)v->f);
    case TG_DOUBLE: v->d = strtod(text, &end); return !*end && within(item, v->d);
    case TG_FLAG: return read_flag(item, text);
    case TG_CHOICE: return read_choice(item, text);
    }
    return false;
}

bool tg_number_read(tg_state_item *item, const char *text)
{
    const locale_t old = plain_locale();
    bool same = false;
    if (*text && read_plain(item, text)) {
        tg_state_item copy = *item;
        char again[TG_NUMBER_TEXT];
        copy.where = &item->loaded;
        write_plain(&copy, again);
        same = item->number == TG_FLOAT || item->number == TG_DOUBLE || !strcmp(again, text);
    }
    old_locale(old);
    return same;
}

static size_t size_of(tg_number_kind kind)
{
    switch (kind) {
    case TG_FLOAT: return sizeof(float);
    case TG_FLAG: return sizeof(bool);
    case TG_CHOICE: return sizeof(int);
    default: return sizeof(int64_t);
    }
}

void tg_number_swap(tg_state_item *item)
{
    tg_number before = { 0 };
    const size_t size = size_of(item->number);
    memcpy(&before, item->where, size);
    memcpy(item->where, &item->loaded, size);
    item->loaded = before;
}

static void list_choices(const tg_state_item *item, char text[120])
{
    text[0] = 0;
    for (int i = 0; item->choices[i]; i++) {
        const size_t at = strlen(text);
        snprintf(text + at, 120 - at, "%s%s", i ? " or " : "", item->choices[i]);
    }
}

const char *tg_number_wanted(const tg_state_item *item, char text[120])
{
    const int64_t least = item->least_int, most = item->most_int;
    switch (item->number) {
    case TG_INT: snprintf(text, 120, "a whole number from %" PRId64 " to %" PRId64, least, most); break;
    case TG_U64: snprintf(text, 120, "a whole number from 0 to %" PRIu64, UINT64_MAX); break;
    case TG_FLOAT:
    case TG_DOUBLE: snprintf(text, 120, "a number from %g to %g", item->least, item->most); break;
    case TG_FLAG: snprintf(text, 120, "true or false"); break;
    case TG_CHOICE: list_choices(item, text); break;
    }
    return text;
}
