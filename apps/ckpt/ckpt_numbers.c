/* ckpt_numbers.c - reads a tensor's elements in pieces; formats sizes and shapes. */
#include "ckpt.h"
#include <string.h>

ckpt_kind ckpt_kind_of(const tg_file_tensor *t)
{
    if (tg_tensor_file_can(t, TG_F32)) return CKPT_FLOATS;
    return tg_tensor_file_can(t, TG_I64) && strcmp(t->dtype, "U64") ? CKPT_WHOLE : CKPT_OTHER;
}

int64_t ckpt_count(const tg_file_tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++) count *= t->dim[i];
    return count;
}

bool ckpt_read(ckpt *c, tg_tensor_file *f, int i, int64_t first, int64_t n, ckpt_numbers *to)
{
    const tg_file_tensor *const t = &f->tensor[i];
    to->kind = ckpt_kind_of(t);
    to->n = n;
    if (to->kind == CKPT_WHOLE) return tg_tensor_file_numbers(c->root, f, i, first, n, TG_I64, to->whole);
    if (!strcmp(t->dtype, "F64")) /* which the library would round to f32 */
        return tg_tensor_file_read(c->root, f, i, 8 * (uint64_t)first, 8 * (size_t)n, to->floats);
    if (!tg_tensor_file_numbers(c->root, f, i, first, n, TG_F32, to->narrow)) return false;
    for (int64_t k = 0; k < n; k++) to->floats[k] = to->narrow[k];
    return true;
}

/* ---- words ---- */

const char *ckpt_size(uint64_t bytes, ckpt_text *to)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double size = (double)bytes / 1024;
    int unit = 0;
    for (; size >= 1023.95 && unit < 3; unit++) size /= 1024;
    if (bytes < 1024) snprintf(to->text, sizeof to->text, "%d B", (int)bytes);
    else snprintf(to->text, sizeof to->text, "%.1f %s", size, units[unit]);
    return to->text;
}

const char *ckpt_whole(uint64_t number, ckpt_text *to)
{
    char plain[24];
    const int digits = snprintf(plain, sizeof plain, "%llu", (unsigned long long)number);
    int n = 0;
    for (int i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0) to->text[n++] = ',';
        to->text[n++] = plain[i];
    }
    to->text[n] = 0;
    return to->text;
}

const char *ckpt_tensors(int n, ckpt_text *to)
{
    ckpt_text number;
    snprintf(to->text, sizeof to->text, "%.30s tensor%s", ckpt_whole((uint64_t)n, &number), n == 1 ? "" : "s");
    return to->text;
}

const char *ckpt_shape(const tg_file_tensor *t, ckpt_text *to)
{
    int n = snprintf(to->text, sizeof to->text, "[");
    for (int i = 0; i < t->rank && n < (int)sizeof to->text; i++)
        n += snprintf(to->text + n, sizeof to->text - (size_t)n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    if (n < (int)sizeof to->text) snprintf(to->text + n, sizeof to->text - (size_t)n, "]");
    return to->text;
}

void ckpt_print_text(FILE *to, const char *text)
{
    tg_name_text piece;
    while (*text) {
        size_t n = 1; /* bytes of a UTF-8 character */
        while (((unsigned char)text[n] & 0xc0) == 0x80 && n < 4) n++;
        const char one[5] = { text[0], n > 1 ? text[1] : '\0', n > 2 ? text[2] : '\0', n > 3 ? text[3] : '\0' };
        fputs(tg_printable(one, &piece), to);
        text += n;
    }
}
