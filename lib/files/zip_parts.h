/* zip_parts.h - what the files that read a ZIP's directory share. */
#ifndef TG_ZIP_PARTS_H
#define TG_ZIP_PARTS_H
#include "zip.h"

enum { TG_ZIP_ENTRY = 46, TG_ZIP_LOCAL = 30 }; /* bytes of an entry and of a member's own header, without the texts */

typedef struct {
    uint64_t n, bytes, at, end; /* members; the directory's size and place, and what comes after it */
} tg_zip_end;

/* The directory lies in the file, and may hold n members. */
bool tg_zip_find_end(tg_scope *s, const tg_tensor_file *f, tg_zip_end *e);

/* Goes through extra fields: those of 32 bits that are all ones get their values of 64 bits, in this order.  Returns
 * what is wrong with them, or NULL.  *wide: there was such a field. */
const char *tg_zip_extra(const uint8_t *extra, size_t n, uint64_t *const field[], int fields, bool *wide);

/* The member's own header, and the descriptor after its data, agree with the directory: sets data, and *end to the
 * place after all of it. */
bool tg_zip_local(tg_scope *s, const tg_tensor_file *f, tg_zip_member *m, uint64_t *end);

/* Fails s: "PATH: NAME: ..." */
bool tg_zip_refuse(tg_scope *s, const tg_tensor_file *f, const tg_zip_member *m, const char *trouble);
#endif
