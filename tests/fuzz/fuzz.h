/* fuzz.h - random programs over small tensors.
 *
 * A program is a list of steps.  Operands are numbers: below LEAVES a leaf of the model, from there on the result of
 * an earlier step, so that dropping a step leaves a program (what depended on it is not done).  What a step means is
 * settled without tensors, in fuzz_track.c: which results exist, and what was overwritten since they were made. */
#ifndef TG_FUZZ_H
#define TG_FUZZ_H
#include <tilegrad/tilegrad.h>

enum { MAX_STEPS = 64, MAX_NESTING = 6, FUZZ_TEXT = 400 };

/* Shapes: [2,4,4,4] [2,2,2,4] [2,4,4,8] [32,4] [2,4] [2,64] [4] and scalars. */
typedef enum { IMAGE, HALF, WIDE, ROWS, MAT, FLAT, VEC, ONE, SHAPES } fuzz_shape;

/* Leaves; the first OPERANDS may be operands of any operator. */
enum {
    X0,
    X1,
    V,
    C,
    OPERANDS,
    W3 = OPERANDS,
    B3,
    W1,
    WD,
    WT,
    WL,
    BL,
    GAMMA,
    BETA,
    MEAN,
    VAR,
    LEAVES,
    IDS = LEAVES + MAX_STEPS
};
#define LEAF(k) (1u << (k))

typedef enum {
    DROPPED,
    CALL,
    READ,
    READ_GRAD,
    EDIT,
    BACKWARD,
    UPDATE,
    RESET,
    ENTER,
    LEAVE,
    EVAL,
    EVAL_END,
    COPY,
    CLEAR_GRAD,
    KINDS
} fuzz_kind;

typedef struct {
    uint8_t kind, op;
    int16_t a, b;  /* operands; -1: none */
    uint32_t bits; /* whatever else is to be chosen */
} fuzz_step;

typedef struct {
    uint64_t seed;
    int n;
    fuzz_step step[MAX_STEPS];
} fuzz_program;

/* ---- fuzz_ops.c: the model, and what a step may call ---- */
typedef struct {
    tg_tensor *leaf[LEAVES], *target[SHAPES];
    tg_module *module, *segment[3];
    tg_optim *optim;
} fuzz_model;

typedef struct {
    const char *name;
    int weight; /* how often it is chosen */
    enum { ALONE, LIKE, LIKE_OR_VEC } second;
    int8_t to[SHAPES];      /* 1 + the shape of the result, by that of the first operand; 0: unfit */
    uint32_t reads, tracks; /* leaves read; leaves written when training, else read */
    bool cuts, views;       /* no gradient goes through; the result may be the operand in another shape */
    tg_tensor *(*apply)(fuzz_model *m, tg_scope *s, tg_tensor *a, tg_tensor *b, uint32_t bits);
} fuzz_op;

extern const fuzz_op fuzz_ops[];
extern const int fuzz_op_count;
/* The numbers depend on data_seed, the optimizer and its clipping on the program's seed. */
void fuzz_open_model(fuzz_model *m, tg_scope *root, uint64_t seed, uint64_t data_seed);
const char *fuzz_leaf_name(int leaf);
bool fuzz_is_param(int leaf); /* belongs to the module that updates change */
bool fuzz_wants_grad(int leaf);

/* ---- fuzz_track.c: what a program means, without tensors ---- */
typedef struct {
    bool alive[IDS], taped[IDS];
    uint8_t shape[IDS], level[IDS];  /* level: 0 in the root, 1 in the step, 2 in an evaluation within it */
    bool graded[LEAVES];             /* has a gradient */
    int16_t first_read[IDS][LEAVES]; /* the step at which it, or what it was made from, read the leaf */
    int16_t written[LEAVES];         /* the last step that wrote the leaf */
    uint8_t nest[MAX_NESTING];       /* ENTER or EVAL, outermost first */
    int depth;
    bool in_eval;
} fuzz_track;

void fuzz_track_start(fuzz_track *t);
/* Takes step i into account; false: it cannot be done now, and nothing has changed. */
bool fuzz_track_step(fuzz_track *t, const fuzz_program *p, int i);
/* A leaf that id was made from was written since it was read: to make it again, or to differentiate it, may fail. */
bool fuzz_overwritten(const fuzz_track *t, int id);

/* ---- fuzz_generate.c ---- */
void fuzz_generate(fuzz_program *p, uint64_t seed);
void fuzz_print(const fuzz_program *p);

/* ---- fuzz_run.c ---- */
extern uint64_t fuzz_made_twice; /* values, by the recomputation that was compared with none */
extern uint64_t fuzz_epilogues;  /* calls whose result an update took in pieces; compared with none, too */
/* Runs the program in each way and compares; false: they differ, or something failed that should not. */
bool fuzz_check(const fuzz_program *p, uint64_t data_seed, char why[FUZZ_TEXT]);
#endif
