/* state_items.h - the items that the visits of a save or a load have named.  Private to lib. */
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
    /* a tensor; `now` is NULL if it is one that need not exist, and does not */
    tg_tensor *now, **made;
    tg_scope *scope; /* where to create it, if it need not exist */
    tg_tensor like;  /* its dtype, and its shape in a file */
    int axis;
    bool optional; /* a file may lack it, or have it in another shape or dtype */
    int at;        /* its index in the file being loaded, or -1 */
    bool fresh;    /* this load created `now`, for *made */
    void *image;   /* the loaded bytes of its storage */
    /* a number; `loaded` is the file's value, and the previous one after a swap */
    tg_number_kind number;
    void *where;
    double least, most;
    int64_t least_int, most_int;
    const char *const *choices;
    tg_number loaded;
    bool found;
    bool is_version; /* a file may lack it */
    /* a text */
    const char *text;
} tg_state_item;

struct tg_state {
    tg_scope *s;        /* owns its memory, and gets its errors */
    const char *prefix; /* of the thing being visited */
    const char *what;   /* "save" or "load", for messages */
    tg_state_item *item;
    int n;
    size_t capacity;
};

/* Calls each thing's visit; false: s has failed.  s must outlive the items. */
bool tg_state_collect(tg_state *state, const tg_stateful *things, int n);
void tg_state_free(tg_state *state);

/* state_number.c: numbers to and from text, in any locale */
enum { TG_NUMBER_TEXT = 40 };
void tg_number_write(const tg_state_item *item, char text[TG_NUMBER_TEXT]);
bool tg_number_read(tg_state_item *item, const char *text);              /* into item->loaded; false: not valid */
void tg_number_swap(tg_state_item *item);                                /* swaps it with item->loaded */
const char *tg_number_wanted(const tg_state_item *item, char text[120]); /* "a whole number from 0 to 7" */

/* state_layout.c: converts between a storage's bytes and a file's elements, where t's last axis is at position `axis`
 */
void tg_state_shape(const tg_tensor *t, int axis, int64_t dim[TG_MAX_RANK]); /* in the file */
/* Gathers elements first .. first + n - 1 (n > 0) in the file's order: f32 for split weights, otherwise t's dtype. */
void tg_state_gather(const tg_tensor *t, int axis, int64_t first, int64_t n, void *to);
/* The inverse, into `image`, which will become the bytes of t's storage. */
void tg_state_scatter(const tg_tensor *t, int axis, int64_t first, int64_t n, const void *from, void *image);
/* The bytes are the same in memory and in the file. */
bool tg_state_is_plain(const tg_tensor *t, int axis);
tg_dtype tg_state_dtype(const tg_tensor *t); /* in the file: f32 for split weights */
#endif
