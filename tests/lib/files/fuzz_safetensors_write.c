/* fuzz_safetensors_write.c - writes a model as a file, with random white space, order and escapes, and mutates a file's
 * bytes.  The header's checksum is computed afterwards, so that mutations are not refused for the checksum alone. */
#include "checksum.h"
#include "fuzz_safetensors_model.h"
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

static void put(maker *m, const void *bytes, size_t n)
{
    const size_t room = MOST_CASE - m->f->n;
    memcpy(m->f->at + m->f->n, bytes, n < room ? n : room);
    m->f->n += n < room ? n : room;
}

static void space(maker *m)
{
    while (m->spaces > 0 && chance(m, (uint32_t)m->spaces)) put(m, &" \t\n\r"[draw(m, 4)], 1);
}

static void say(maker *m, const char *text)
{
    space(m);
    put(m, text, strlen(text));
    space(m);
}

/* Letters may be escaped; existing escapes are left unchanged. */
static void say_string(maker *m, const char *text)
{
    char escape[8];
    space(m);
    put(m, "\"", 1);
    for (; *text; text++) {
        const bool letter = *text >= 'a' && *text <= 'z';
        if (*text == '\\' || !letter || !chance(m, (uint32_t)m->escapes)) {
            put(m, text, 1);
            if (*text == '\\' && text[1]) put(m, ++text, 1);
        } else {
            put(m, escape,
                (size_t)snprintf(escape, sizeof escape, chance(m, 50) ? "\\u%04x" : "\\u%04X", (unsigned)*text));
        }
    }
    put(m, "\"", 1);
    space(m);
}

static void say_list(maker *m, char text[][32], int n)
{
    say(m, "[");
    for (int i = 0; i < n; i++) {
        if (i > 0) say(m, ",");
        say(m, text[i]);
    }
    say(m, "]");
}

static void say_field(maker *m, tensor *t, int field, bool *first)
{
    static const char *const key[] = { "dtype", "shape", "data_offsets" };
    if (field == t->missing - 1 || (field == 3 && !*t->extra)) return;
    if (!*first) say(m, ",");
    *first = false;
    if (field == 3) {
        say(m, t->extra);
        return;
    }
    say_string(m, key[field]);
    say(m, ":");
    if (field == 0) say_string(m, t->dtype);
    else if (field == 1) say_list(m, t->size, t->rank);
    else say_list(m, t->offset, t->offsets);
}

static void say_tensor(maker *m, tensor *t)
{
    const int begin = (int)draw(m, 4);
    bool first = true;
    say_string(m, t->name);
    say(m, ":");
    if (*t->whole) {
        say(m, t->whole);
        return;
    }
    say(m, "{");
    for (int i = 0; i < 4; i++) say_field(m, t, (begin + i) % 4, &first);
    say(m, "}");
}

/* A mark is mostly written as tilegrad does. */
static void say_pair(maker *m, const pair *p)
{
    const int spaces = m->spaces, escapes = m->escapes;
    if (m->marked && chance(m, 90)) m->spaces = m->escapes = 0;
    say_string(m, p->name);
    say(m, ":");
    if (m->marked && !strcmp(p->name, "tilegrad.header")) m->header_sum = m->f->n + 1;
    say(m, p->value);
    m->spaces = spaces;
    m->escapes = escapes;
}

static void say_metadata(maker *m)
{
    say_string(m, "__metadata__");
    say(m, ":");
    if (*m->whole_meta) {
        say(m, m->whole_meta);
        return;
    }
    say(m, "{");
    for (int i = 0; i < m->n_meta; i++) {
        if (i > 0) say(m, ",");
        say_pair(m, &m->meta[i]);
    }
    say(m, "}");
}

static void say_header(maker *m)
{
    const int meta_at = m->has_meta ? (int)draw(m, draw(m, 2) ? 1 : (uint32_t)m->n + 1) : -1;
    const int first = m->n > 0 ? (int)draw(m, (uint32_t)m->n) : 0;
    say(m, "{");
    for (int i = 0; i <= m->n; i++) {
        if (i == meta_at) say_metadata(m);
        if (i == meta_at && i < m->n) say(m, ",");
        if (i == m->n) break;
        say_tensor(m, &m->tensor[(first + i) % m->n]);
        if (i + 1 < m->n || meta_at > i) say(m, ",");
    }
    say(m, "}");
    say(m, m->after);
}

static void write_length(fuzz_file *f, uint64_t n)
{
    for (int i = 0; i < 8; i++) f->at[i] = (uint8_t)(n >> 8 * i);
}

static uint64_t read_length(const fuzz_file *f)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) n |= (uint64_t)f->at[i] << 8 * i;
    return n;
}

void fuzz_write_sum(maker *m)
{
    const uint64_t n = m->f->n < 8 ? 0 : read_length(m->f);
    if (m->header_sum == 0 || n > MOST_CASE || m->f->n < 8 + n || m->header_sum + 16 > 8 + n) return;
    char *const digits = (char *)m->f->at + m->header_sum;
    memset(digits, '0', 16);
    tg_checksum_print(tg_checksum_of(m->f->at, 8 + n), digits);
}

void fuzz_write_file(maker *m)
{
    m->f->n = 8;
    say_header(m);
    while (chance(m, 50)) put(m, " ", 1);
    write_length(m->f, m->f->n - 8);
    for (int64_t i = 0; i < m->data; i++) put(m, &(uint8_t){ (uint8_t)(i * 7 + 3) }, 1);
}

/* ---- mutations of the bytes ---- */

void fuzz_change_bytes(maker *m)
{
    static const char telling[] = "{}[]\",:\\0123456789eE+-. \n\tabcdefu/_\x00\x7f\x80\xff";
    fuzz_file *const f = m->f;
    if (f->n == 0) return;
    const size_t head = f->n < 8 + read_length(f) ? f->n : 8 + (size_t)read_length(f);
    const size_t at = draw(m, (uint32_t)(chance(m, 80) ? head : f->n)), other = draw(m, (uint32_t)f->n);
    switch (draw(m, 7)) {
    case 0: f->at[at] ^= (uint8_t)(1 << draw(m, 8)); break;
    case 1: f->at[at] = (uint8_t)telling[draw(m, sizeof telling - 1)]; break;
    case 2: f->at[at] = f->at[other]; break;
    case 3: /* one more byte; the length is correct, or not */
        if (f->n == MOST_CASE) break;
        memmove(f->at + at + 1, f->at + at, f->n++ - at);
        f->at[at] = (uint8_t)telling[draw(m, sizeof telling - 1)];
        if (at >= 8 && chance(m, 70)) write_length(f, read_length(f) + 1);
        if (m->header_sum > at) m->header_sum++;
        break;
    case 4:
        memmove(f->at + at, f->at + at + 1, --f->n - at);
        if (at >= 8 && chance(m, 70)) write_length(f, read_length(f) - 1);
        if (m->header_sum > at) m->header_sum--;
        break;
    case 5: f->n = at; break;
    default:
        if (f->n >= 8) write_length(f, chance(m, 50) ? read_length(f) + draw(m, 5) - 2 : read_length(f) << draw(m, 60));
    }
}
