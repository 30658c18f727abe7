/* zip_parts.h - shared by the files that read a ZIP's directory.  Private to them. */
#ifndef TG_ZIP_PARTS_H
#define TG_ZIP_PARTS_H
#include "zip.h"

enum { TG_ZIP_ENTRY = 46, TG_ZIP_LOCAL = 30 }; /* fixed bytes of a directory entry and of a local header */

typedef struct {
    uint64_t n, bytes, at, end; /* members; the directory's size and offset; the offset of the records after it */
} tg_zip_end;

/* Finds the directory, and checks that it is within the file and large enough for n members. */
bool tg_zip_find_end(tg_scope *s, const tg_tensor_file *f, tg_zip_end *e);

/* Parses extra fields: each field[] that is all ones in 32 bits gets its zip64 value, in this order.  Returns an error
 * or NULL.  *wide: there was a zip64 field. */
const char *tg_zip_extra(const uint8_t *extra, size_t n, uint64_t *const field[], int fields, bool *wide);

/* Checks the member's local header, and the descriptor after its data, against the directory.  Sets m->data, and *end
 * to the offset after all of it. */
bool tg_zip_local(tg_scope *s, const tg_tensor_file *f, tg_zip_member *m, uint64_t *end);

/* Fails s: "PATH: NAME: ..." */
bool tg_zip_refuse(tg_scope *s, const tg_tensor_file *f, const tg_zip_member *m, const char *trouble);
#endif
