/* zip_refuse.c - the message about a member that is not accepted. */
#include "zip_parts.h"

bool tg_zip_refuse(tg_scope *s, const tg_tensor_file *f, const tg_zip_member *m, const char *trouble)
{
    tg_name_text text;
    tg_fail(s, "%s: %s: %s", f->path, tg_printable(m->name, &text), trouble);
    return false;
}
