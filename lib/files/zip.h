/* zip.h - reads the directory of a ZIP file strictly.  Private to lib.
 *
 * Members must be contiguous from the first byte of the file to the directory, which ends the file: each byte belongs
 * to exactly one of them.  A member's own header must agree with the directory.  zip64 sizes and data descriptors are
 * accepted as Python writes them; so is a comment after the directory, if it contains no other end record.  Multi-disk
 * archives are refused.  A member that cannot be unpacked (encrypted, or compressed by a method other than deflate) is
 * listed with a trouble; the others can still be read. */
#ifndef TG_ZIP_H
#define TG_ZIP_H
#include "tensor_file.h"

enum { TG_ZIP_MOST_NAME = 1024, TG_ZIP_STORED = 0, TG_ZIP_DEFLATED = 8 };

typedef struct {
    char *name;
    size_t length;         /* of the name, which may contain NULs; another NUL terminates it */
    uint64_t header, data; /* file offsets */
    uint64_t packed, size; /* bytes in the file, and inflated: at most 1032 times as many */
    uint32_t crc;          /* CRC-32 of the inflated bytes */
    int method;            /* TG_ZIP_STORED or TG_ZIP_DEFLATED */
    int flags;
    const char *trouble; /* the reason why it cannot be unpacked; NULL: it can */
} tg_zip_member;

enum { TG_ZIP_DESCRIPTOR = 1 << 3, TG_ZIP_UTF8 = 1 << 11 }; /* flags */

/* The members, sorted by place, in memory of s.  False: s has failed. */
bool tg_zip_members(tg_scope *s, const tg_tensor_file *f, tg_zip_member **member, int *n);
#endif
