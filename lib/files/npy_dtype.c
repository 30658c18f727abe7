/* npy_dtype.c - element types as NumPy spells them: "<f4", ">i2", "|b1", "float32", "d". */
#include "npy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *dtype, *descr;
} spellings[] = {
    { "F64", "<f8" }, { "F32", "<f4" }, { "F16", "<f2" },  { "C64", "<c8" }, { "I64", "<i8" },
    { "I32", "<i4" }, { "I16", "<i2" }, { "I8", "|i1" },   { "U64", "<u8" }, { "U32", "<u4" },
    { "U16", "<u2" }, { "U8", "|u1" },  { "BOOL", "|b1" },
};
enum { SPELLINGS = sizeof spellings / sizeof *spellings };

const char *tg_npy_dtype(const char *dtype)
{
    for (int i = 0; i < SPELLINGS; i++)
        if (!strcmp(spellings[i].dtype, dtype)) return spellings[i].descr;
    return NULL;
}

/* Names of types and codes without a width. */
static const struct {
    const char *name, *code;
} names[] = {
    { "?", "b1" },         { "b", "i1" },         { "B", "u1" },        { "h", "i2" },        { "H", "u2" },
    { "i", "i4" },         { "I", "u4" },         { "l", "i8" },        { "L", "u8" },        { "q", "i8" },
    { "Q", "u8" },         { "p", "i8" },         { "P", "u8" },        { "e", "f2" },        { "f", "f4" },
    { "d", "f8" },         { "F", "c8" },         { "D", "c16" },       { "O", "O8" },        { "object", "O8" },
    { "bool", "b1" },      { "int8", "i1" },      { "int16", "i2" },    { "int32", "i4" },    { "int64", "i8" },
    { "uint8", "u1" },     { "uint16", "u2" },    { "uint32", "u4" },   { "uint64", "u8" },   { "byte", "i1" },
    { "ubyte", "u1" },     { "short", "i2" },     { "ushort", "u2" },   { "intc", "i4" },     { "uintc", "u4" },
    { "int", "i8" },       { "uint", "u8" },      { "long", "i8" },     { "ulong", "u8" },    { "longlong", "i8" },
    { "ulonglong", "u8" }, { "intp", "i8" },      { "uintp", "u8" },    { "half", "f2" },     { "single", "f4" },
    { "double", "f8" },    { "float", "f8" },     { "float16", "f2" },  { "float32", "f4" },  { "float64", "f8" },
    { "csingle", "c8" },   { "complex64", "c8" }, { "cdouble", "c16" }, { "complex", "c16" }, { "complex128", "c16" },
};

/* Splits a type into its letter and width; false: unknown. */
static bool take_code(const char *from, char *letter, size_t *width)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].name, from)) from = names[i].code;
    const size_t digits = *from ? strspn(from + 1, "0123456789") : 0;
    *letter = *from;
    if (digits == 0 || digits > 6 || !strchr("biufcVSaUmMO", *letter)) return false;
    *width = (size_t)strtoul(from + 1, NULL, 10);
    return !from[1 + digits] || (strchr("mM", *letter) && from[1 + digits] == '['); /* "M8[ns]" */
}

const char *tg_npy_type(const char *descr, tg_file_form *form)
{
    char letter, code[8];
    size_t width;
    const bool marked = *descr && strchr("<>=|", *descr);
    *form = (tg_file_form){ .size = 0 };
    if (!take_code(descr + marked, &letter, &width)) return NULL;
    form->size = letter == 'U' ? 4 * width : width;
    if (*descr == '>')
        form->swapped = letter == 'c' ? width / 2 : strchr("iufmM", letter) ? width : letter == 'U' ? 4 : 0;
    if (form->swapped == 1 || form->swapped > 8 || form->swapped & (form->swapped - 1)) form->swapped = 0;
    snprintf(code, sizeof code, "%c%zu", letter, width < 1000 ? width : 0);
    for (int i = 0; i < SPELLINGS; i++)
        if (!strcmp(spellings[i].descr + 1, code)) return spellings[i].dtype;
    return NULL;
}
