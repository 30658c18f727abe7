/* data_files.h - good and bad data files for tests, in a folder of their own. */
#ifndef TG_DATA_FILES_H
#define TG_DATA_FILES_H
#include <tilegrad/datasets.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { BLOB_ROOM = 1 << 16 };
typedef struct {
    size_t n;
    uint8_t at[BLOB_ROOM];
} blob;

#define D(...) ((const uint32_t[]){ __VA_ARGS__ })

extern char data_folder[64];
int data_folder_begin(void **state); /* a group's setup: creates the folder */
int data_folder_end(void **state);   /* a group's teardown: removes it */
void data_folder_empty(void);
const char *data_path(const char *name); /* its path; valid for the next three calls */
void data_put(const char *name, const void *bytes, size_t n);

blob data_idx(int rank, const uint32_t dim[], size_t data); /* byte i of the data is i * 7 + 3 */
blob data_gzip(const blob *from);

/* Checks that s has failed with a message like this, and clears it. */
void data_refused(tg_scope *s, const char *row, const char *begins, const char *contains);
#endif
