/* tensor_file_one.c - tg_read_tensor: reads one tensor of a file by name. */
#include "core.h"
#include "tensor_file.h"
#include <string.h>

/* The dtype in which t is read; false: it cannot be converted to any. */
static bool dtype_of(const tg_file_tensor *t, tg_dtype *dtype)
{
    static const struct {
        const char *name;
        tg_dtype dtype;
    } same[] = {
        { "F32", TG_F32 }, { "BF16", TG_BF16 }, { "U8", TG_U8 }, { "I8", TG_I8 }, { "I32", TG_I32 }, { "I64", TG_I64 },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        *dtype = same[i].dtype;
        if (!strcmp(t->dtype, same[i].name)) return tg_tensor_file_can(t, *dtype);
    }
    *dtype = tg_tensor_file_can(t, TG_F32) ? TG_F32 : TG_I64;
    return tg_tensor_file_can(t, *dtype);
}

/* NULL: it cannot be read as a tensor, and s has failed. */
static const tg_file_tensor *find(tg_scope *s, const tg_tensor_file *f, const char *name, tg_dtype *dtype)
{
    tg_name_text text;
    const int i = tg_tensor_file_find(f, name);
    if (i < 0) return tg_fail(s, "%s: there is no tensor '%s'", f->path, tg_printable(name, &text)), NULL;
    const tg_file_tensor *const t = &f->tensor[i];
    if (!t->bytes) return tg_fail(s, "%s: tensor '%s' has no elements", f->path, tg_printable(name, &text)), NULL;
    if (dtype_of(t, dtype)) return t;
    tg_fail(s, "%s: tensor '%s' is %s, which cannot be converted", f->path, tg_printable(name, &text), t->dtype);
    return NULL;
}

tg_tensor *tg_read_tensor(tg_scope *s, const char *path, const char *name)
{
    tg_dtype dtype;
    if (tg_ok(s) && (!path || !name)) tg_fail(s, "read_tensor: the %s is NULL", path ? "name" : "path");
    if (!tg_ok(s)) return tg_nil();
    tg_scope *const reading = tg_push(s);
    tg_tensor_file *const f = tg_tensor_file_open(reading, path);
    const tg_file_tensor *const t = f ? find(reading, f, name, &dtype) : NULL;
    tg_tensor *const to = t ? tg_leaf(s, dtype, t->rank, t->dim) : tg_nil();
    if (t && tg_ok(s))
        tg_tensor_file_numbers(reading, f, (int)(t - f->tensor), 0, tg_count(to), dtype, to->storage->data);
    tg_pop(reading);
    return tg_ok(s) ? to : tg_nil();
}
