/* data_files.c - creates data files and checks refusals.  See data_files.h. */
#include "data_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

char data_folder[64];

int data_folder_begin(void **state)
{
    (void)state;
    strcpy(data_folder, "/tmp/tilegrad_data_XXXXXX");
    return mkdtemp(data_folder) ? 0 : -1;
}

int data_folder_end(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", data_folder);
    return system(command);
}

const char *data_path(const char *name)
{
    static char paths[4][256];
    static int next;
    char *const path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", data_folder, name);
    return path;
}

void data_put(const char *name, const void *bytes, size_t n)
{
    FILE *const file = fopen(data_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

void data_folder_empty(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", data_folder, data_folder);
    assert_int_equal(system(command), 0);
}

blob data_idx(int rank, const uint32_t dim[], size_t data)
{
    blob b = { 0 };
    b.at[2] = 8;
    b.at[3] = (uint8_t)rank;
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < 4; k++) b.at[4 + 4 * i + k] = (uint8_t)(dim[i] >> (24 - 8 * k));
    b.n = 4 + 4 * (size_t)rank + data;
    assert_true(b.n <= BLOB_ROOM);
    for (size_t i = 0; i < data; i++) b.at[b.n - data + i] = (uint8_t)(i * 7 + 3);
    return b;
}

blob data_gzip(const blob *from)
{
    blob b = { 0 };
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)from->at;
    z.avail_in = (uInt)from->n;
    z.next_out = b.at;
    z.avail_out = BLOB_ROOM;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b.n = z.total_out;
    deflateEnd(&z);
    return b;
}

void data_refused(tg_scope *s, const char *row, const char *begins, const char *contains)
{
    const char *const message = tg_message(s);
    if (tg_ok(s) || strncmp(message, begins, strlen(begins)) != 0 || !strstr(message, contains))
        fail_msg("%s: got \"%s\", want \"%s...%s...\"", row, message, begins, contains);
    tg_clear(s);
}
