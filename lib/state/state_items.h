/* state_items.h - what the visits of a save or a load have named.  Private to lib. */
#ifndef TG_STATE_ITEMS_H
#define TG_STATE_ITEMS_H
#include "core.h"
#include "state.h"
#include "tensor_file.h"

typedef enum { TG_ITEM_TENSOR, TG_ITEM_NUMBER, TG_ITEM_SAME, TG_ITEM_NOTE } tg_item_kind;
typedef enum { TG_INT, TG_U64, TG_FLOAT, TG_DOUBLE, TG_FLAG, TG_CHOICE } tg_number_kind;
typedef union {
    int64_t i;
    uint64_t u;
    float f;
    double d;
    bool flag;
    int choice;
} tg_number;

typedef struct {
    tg_item_kind kind;
    const char *name; /* with the thing's prefix */
    /* a tensor; `now` is NULL if it may not be there and is not */
    tg_tensor *now, **made;
    tg_scope *scope; /* of one that may have to be made */
    tg_tensor like;  /* its dtype, and its shape in a file */
    int axis;
    bool optional; /* a file need not have it, nor in this shape and dtype */
    int at;        /* its number in the file that is loaded, or -1 */
    bool fresh;    /* *made, made by this load */
    void *image;   /* the loaded bytes of its storage */
    /* a number: where it is, and what it was before the load */
    tg_number_kind number;
    void *where;
    double least, most;
    int64_t least_int, most_int;
    const char *const *choices;
    tg_number loaded;
    bool found;
    bool is_version; /* which a file need not have */
    /* a text */
    const char *text;
} tg_state_item;

struct tg_state {
    tg_scope *s;        /* its memory, and its errors */
    const char *prefix; /* of the thing that is being visited */
    const char *what;   /* "save" or "load", for messages */
    tg_state_item *item;
    int n;
    size_t capacity;
};

/* Lets each thing name what it has; false and s failed.  s lives as long as the items. */
bool tg_state_collect(tg_state *state, const tg_stateful *things, int n);
void tg_state_free(tg_state *state);

/* state_number.c: numbers as text, and back; no locale changes them. */
enum { TG_NUMBER_TEXT = 40 };
void tg_number_write(const tg_state_item *item, char text[TG_NUMBER_TEXT]);
bool tg_number_read(tg_state_item *item, const char *text);              /* into item->loaded; false: impossible */
void tg_number_swap(tg_state_item *item);                                /* exchanges it with item->loaded */
const char *tg_number_wanted(const tg_state_item *item, char text[120]); /* "a whole number from 0 to 7" */

/* state_layout.c: between a storage's bytes and a file's numbers, which have t's last axis at place `axis`. */
void tg_state_shape(const tg_tensor *t, int axis, int64_t dim[TG_MAX_RANK]); /* in the file */
/* Elements first .. first + n - 1 (n > 0), as the file counts them: f32 for split weights, else t's dtype. */
void tg_state_gather(const tg_tensor *t, int axis, int64_t first, int64_t n, void *to);
/* The way back, into `image`, which will be the bytes of t's storage. */
void tg_state_scatter(const tg_tensor *t, int axis, int64_t first, int64_t n, const void *from, void *image);
/* The bytes are the same in both. */
bool tg_state_is_plain(const tg_tensor *t, int axis);
tg_dtype tg_state_dtype(const tg_tensor *t); /* in the file: f32 for split weights */
#endif
