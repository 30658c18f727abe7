/* tensor_files.h - files of tensors for tests: handwritten, and written by the library. */
#ifndef TG_TENSOR_FILES_H
#define TG_TENSOR_FILES_H
#include "data_files.h"
#include <tilegrad/tensor_file.h>

/* Writes a safetensors file in the folder of data_files.h: this header and `data` bytes; byte i is i * 7 + 3. */
void put_safetensors(const char *name, const char *header, size_t n, size_t data);

/* Writes tensors whose byte i, counted over all of them, is i * 7 + 3; false: s has failed. */
bool write_tensors(tg_scope *s, const char *path, tg_file_tensor *tensor, int n, const tg_file_meta *meta, int n_meta);

/* A checkpoint of about 4 KB with tensors of several dtypes and sizes, empty and scalar ones, and metadata. */
bool write_sample(tg_scope *s, const char *path);

/* Opens a file and verifies all of its tensors. */
bool verify_file(tg_scope *s, const char *path);

/* A whole file; the caller frees `at`. */
typedef struct {
    size_t n;
    uint8_t *at;
} whole_file;
whole_file read_whole(const char *path);
#endif
