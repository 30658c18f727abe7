/* fuzz_safetensors_make.c - random models of a header, and mutations of them.  See fuzz_safetensors_make.h. */
#include "checksum.h"
#include "fuzz_safetensors_model.h"
#include <stdio.h>
#include <string.h>

#define COUNT(rows)   (sizeof(rows) / sizeof *(rows))
#define ANY(m, texts) ((texts)[draw(m, COUNT(texts))])

/* ---- JSON of all kinds ---- */

static const char *const values[] = {
    "null",
    "true",
    "0",
    "1",
    "2",
    "-1",
    "-0",
    "-0.0",
    "1.0",
    "1e0",
    "1E2",
    "2.",
    ".5",
    "01",
    "00",
    "+1",
    "0x1",
    "1_0",
    "\"1\"",
    "\"\"",
    "\"F32\"",
    "[]",
    "{}",
    "[[]]",
    "[0,8]",
    "{\"a\":1}",
    "[[[[]]]]",
    "NaN",
    "Infinity",
    "-Infinity",
    "281474976710656",
    "281474976710657",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\xd9\xa1",
    "",
    "1 2",
    "\"a",
    "'a'",
    "4294967296",
    "65536",
    "16777216",
    "3",
};
static const char *const names[] = {
    "",
    "a",
    "weight",
    "layer1.0.conv1.weight",
    "a\\u0000b",
    "\\u001f",
    "\\u007f",
    "\x7f",
    "\xc2\x9b",
    "\\u009f",
    "\\ud800",
    "\\udc00\\ud800",
    "\\ud83d\\ude00",
    "\xf0\x9f\x98\x80",
    "\\ud83d\\u0041",
    "\xed\xa0\x80",
    "\xff",
    "\xc0\xaf",
    "\xe0\x80\xaf",
    "\xf4\x90\x80\x80",
    "\xc3\xa9",
    "e\xcc\x81",
    "\\u00e9",
    "\n",
    "\\n",
    "\\",
    "\\\\",
    "\\\"",
    "\\/",
    "/",
    "\\u12",
    "\\u+123",
    "\\U0041",
    "\\x41",
    "\\b",
    "__metadata__",
    "\\u005f_metadata__",
    "tilegrad.header",
    "tilegrad.format",
    "-",
    "\t",
    "\xe2\x80\xae",
    "\xef\xbb\xbf",
    "dtype",
    "shape",
    "data_offsets",
    "\xf0\x9f\x98",
    "\xe2\x82",
    "\x1b[2J",
};
static const struct {
    const char *name;
    int bits;
} dtypes[] = {
    { "F32", 32 }, { "BF16", 16 },   { "F16", 16 },    { "F64", 64 },        { "I64", 64 },
    { "I32", 32 }, { "I16", 16 },    { "I8", 8 },      { "U8", 8 },          { "BOOL", 8 },
    { "U16", 16 }, { "U32", 32 },    { "U64", 64 },    { "C64", 64 },        { "F8_E4M3", 8 },
    { "F4", 4 },   { "F6_E2M3", 6 }, { "F8_E8M0", 8 }, { "F8_E5M2FNUZ", 8 },
};
static const char *const wrong_dtypes[] = {
    "f32",
    "F",
    "F33",
    "F128",
    "",
    "F32 ",
    "FLOAT",
    "1",
    "__",
    "A123456789012345",
    "A1234567890123456",
    "BF\\u0031\\u0036",
    "F3\\u00b2",
    "F32\\u0000",
};

static void set(char *to, size_t room, const char *text) { snprintf(to, room, "%s", text); }
static void set_number(char to[32], uint64_t value) { snprintf(to, 32, "%llu", (unsigned long long)value); }

/* ---- a valid model ---- */

static void make_tensor(maker *m, int i, uint64_t *place)
{
    static const int sizes[] = { 0, 1, 1, 2, 2, 3, 4, 5, 8 };
    tensor *const t = &m->tensor[i];
    const size_t kind = draw(m, 3) ? draw(m, 5) : draw(m, COUNT(dtypes));
    uint64_t bits = (uint64_t)dtypes[kind].bits;
    snprintf(t->name, sizeof t->name, "%s%d", chance(m, 93) ? "layer." : ANY(m, names), i);
    set(t->dtype, sizeof t->dtype, dtypes[kind].name);
    t->rank = (int)draw(m, draw(m, 4) ? 4 : 9);
    for (int k = 0; k < t->rank; k++) {
        const int size = t->rank > 4 ? 1 + (int)draw(m, 2) : ANY(m, sizes);
        set_number(t->size[k], (uint64_t)size);
        bits *= (uint64_t)size;
    }
    t->bytes = bits / 8;
    t->offsets = 2;
    set_number(t->offset[0], *place);
    set_number(t->offset[1], *place += t->bytes);
}

static void make_metadata(maker *m)
{
    m->n_meta = (int)draw(m, MOST_META);
    for (int i = 0; i < m->n_meta; i++) {
        snprintf(m->meta[i].name, sizeof m->meta[i].name, "%s%d", chance(m, 90) ? "key-" : ANY(m, names), i);
        snprintf(m->meta[i].value, sizeof m->meta[i].value, "\"%s\"", chance(m, 90) ? "pt" : ANY(m, names));
    }
}

/* The digits are filled in after everything else is written. */
static void make_marks(maker *m)
{
    static const char *const mark[MARKS] = { "tilegrad.format", "tilegrad.header", "tilegrad.tensors" };
    for (int i = 0; i < MARKS; i++) {
        pair *const p = &m->meta[m->n_meta++];
        set(p->name, sizeof p->name, mark[i]);
        set(p->value, sizeof p->value, i == 0 ? "\"1\"" : i == 1 ? "\"0000000000000000\"" : "\"\"");
    }
    char *const sums = m->meta[m->n_meta - 1].value + 1;
    uint64_t at = 0;
    for (int i = 0; i < m->n; at += m->tensor[i++].bytes) {
        uint8_t data[4096];
        for (uint64_t k = 0; k < m->tensor[i].bytes && k < sizeof data; k++) data[k] = (uint8_t)((at + k) * 7 + 3);
        tg_checksum_print(tg_checksum_of(data, m->tensor[i].bytes < sizeof data ? m->tensor[i].bytes : 0),
                          sums + 16 * i);
    }
    strcpy(sums + 16 * m->n, "\"");
}

static void make_model(maker *m)
{
    uint64_t place = 0;
    m->n = (int)draw(m, MOST_TENSORS - 1);
    for (int i = 0; i < m->n; i++) make_tensor(m, i, &place);
    m->data = (int64_t)place;
    m->marked = chance(m, 50);
    m->has_meta = m->marked || chance(m, 50);
    if (m->has_meta) make_metadata(m);
    if (m->marked) make_marks(m);
    m->spaces = chance(m, 30) ? 30 : 0;
    m->escapes = chance(m, 20) ? 20 : 0;
}

/* ---- changes of the model ---- */

static uint64_t number_of(const char *text)
{
    unsigned long long value = 0;
    return sscanf(text, "%llu", &value) == 1 ? value : 0;
}

static void change_number(maker *m, char to[32])
{
    const uint64_t old = number_of(to);
    if (chance(m, 50)) set(to, 32, ANY(m, values));
    else set_number(to, chance(m, 50) ? old + 1 + draw(m, 8) : old - 1 - draw(m, 2));
}

static void change_shape(maker *m, tensor *t)
{
    if (t->rank > 0 && chance(m, 50)) change_number(m, t->size[draw(m, (uint32_t)t->rank)]);
    else if (t->rank > 0 && chance(m, 30)) t->rank--;
    else
        while (t->rank < MOST_SIZES && chance(m, 85)) set(t->size[t->rank++], 32, chance(m, 90) ? "1" : "0");
}

static void change_offsets(maker *m, tensor *t)
{
    char text[32];
    if (chance(m, 60)) {
        change_number(m, t->offset[draw(m, 2)]);
    } else if (chance(m, 40)) {
        memcpy(text, t->offset[0], sizeof text);
        memcpy(t->offset[0], t->offset[1], sizeof text);
        memcpy(t->offset[1], text, sizeof text);
    } else {
        t->offsets = (int)draw(m, 4);
        set(t->offset[2], 32, "8");
    }
}

/* To the place of another tensor, or past a hole. */
static void move(maker *m, tensor *t)
{
    const uint64_t place =
        chance(m, 50) ? number_of(m->tensor[draw(m, (uint32_t)m->n)].offset[0]) : number_of(t->offset[0]) + 1;
    set_number(t->offset[0], place);
    set_number(t->offset[1], place + t->bytes);
    if (chance(m, 30)) m->data++;
}

static void change_name(maker *m, char name[MOST_TEXT])
{
    const size_t n = chance(m, 50) ? 512 : 513;
    if (chance(m, 60)) {
        set(name, MOST_TEXT, ANY(m, names));
    } else if (chance(m, 30)) {
        memset(name, 'n', n);
        name[n] = 0;
    } else if (m->n > 0) {
        set(name, MOST_TEXT, m->tensor[draw(m, (uint32_t)m->n)].name);
    }
}

static void change_tensor(maker *m, tensor *t)
{
    static const char *const extras[] = { "\"x\":1", "\"dtype\":\"U8\"", "\"shape\":[]", "\"data_offsets\":[0,0]",
                                          "\"\\u0064type\":\"U8\"" };
    switch (draw(m, 9)) {
    case 0: snprintf(t->dtype, sizeof t->dtype, "%s", ANY(m, wrong_dtypes)); break;
    case 1: snprintf(t->dtype, sizeof t->dtype, "%s", dtypes[draw(m, COUNT(dtypes))].name); break;
    case 2: change_shape(m, t); break;
    case 3: change_offsets(m, t); break;
    case 4: move(m, t); break;
    case 5: change_name(m, t->name); break;
    case 6: t->missing = 1 + (int)draw(m, 3); break;
    case 7: set(t->extra, sizeof t->extra, ANY(m, extras)); break;
    default: set(t->whole, sizeof t->whole, ANY(m, values)); break;
    }
}

static void change_metadata(maker *m)
{
    pair *const p = m->n_meta > 0 ? &m->meta[draw(m, (uint32_t)m->n_meta)] : NULL;
    char *const letter = p ? strpbrk(p->value, "abcdef0123456789") : NULL;
    m->has_meta = true;
    if (!p || chance(m, 15)) set(m->whole_meta, sizeof m->whole_meta, ANY(m, values));
    else if (chance(m, 30)) set(p->value, sizeof p->value, ANY(m, values));
    else if (chance(m, 30)) change_name(m, p->name);
    else if (chance(m, 30)) *p = m->meta[draw(m, (uint32_t)m->n_meta)];
    else if (chance(m, 40)) *p = m->meta[--m->n_meta];
    else if (letter) *letter = (char)(chance(m, 50) ? *letter ^ 0x20 : *letter ^ 1);
}

static void change_model(maker *m)
{
    static const char *const afters[] = { "{}",           "]",    "}", ",", "x", "\f", "\v", "\xc2\xa0", "//",
                                          "\xef\xbb\xbf", "null", "[", "\\" };
    const uint32_t what = draw(m, 10);
    if (what < 7 && m->n > 0) change_tensor(m, &m->tensor[draw(m, (uint32_t)m->n)]);
    else if (what < 8) m->data += (int64_t)draw(m, 20) - 10;
    else if (what < 9) change_metadata(m);
    else set(m->after, sizeof m->after, ANY(m, afters));
}

void fuzz_make_file(fuzz_file *f, uint64_t seed)
{
    static maker m; /* large */
    memset(&m, 0, sizeof m);
    m.seed = seed;
    m.f = f;
    make_model(&m);
    for (int n = chance(&m, 50) ? 1 : 0; n > 0 && n < 4; n = chance(&m, 30) ? n + 1 : 0) change_model(&m);
    fuzz_write_file(&m);
    fuzz_write_sum(&m);
    if (chance(&m, 10)) f->at[draw(&m, (uint32_t)f->n)] ^= (uint8_t)(1 << draw(&m, 8));
    for (int n = chance(&m, 30) ? 1 : 0; n > 0 && n < 6; n = chance(&m, 40) ? n + 1 : 0) fuzz_change_bytes(&m);
    if (chance(&m, 30)) fuzz_write_sum(&m);
}
