/* zip.h - the table of contents of a ZIP file, read strictly.  Private to lib.
 *
 * Members stand one after another from the file's first byte to the directory, which ends the file: no byte belongs to
 * two of them or to none.  What a member's own header says is what the directory says.  Sizes of 64 bits (zip64) and
 * data descriptors as Python writes them; a comment behind the directory, in which no other end of one may stand; not
 * several disks.  A member that cannot be unpacked (encrypted, compressed by something else than deflate) has a
 * trouble, and the others are none the worse for it. */
#ifndef TG_ZIP_H
#define TG_ZIP_H
#include "tensor_file.h"

enum { TG_ZIP_MOST_NAME = 1024, TG_ZIP_STORED = 0, TG_ZIP_DEFLATED = 8 };

typedef struct {
    char *name;
    size_t length;         /* of the name, which may hold 0 bytes; one more follows it */
    uint64_t header, data; /* places in the file */
    uint64_t packed, size; /* bytes in the file; when inflated: at most 1032 times as many */
    uint32_t crc;          /* CRC-32 of the latter */
    int method;            /* TG_ZIP_STORED or TG_ZIP_DEFLATED */
    int flags;
    const char *trouble; /* why it cannot be unpacked; NULL: it can */
} tg_zip_member;

enum { TG_ZIP_DESCRIPTOR = 1 << 3, TG_ZIP_UTF8 = 1 << 11 }; /* flags */

/* The members by place, in s.  False and s failed. */
bool tg_zip_members(tg_scope *s, const tg_tensor_file *f, tg_zip_member **member, int *n);
#endif
