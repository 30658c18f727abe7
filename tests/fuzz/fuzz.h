/* fuzz.h - random programs over small tensors.
 *
 * A program is a list of steps.  Operands are numbers: below LEAVES a leaf of the model, otherwise the result of an
 * earlier step, so that the program stays valid if a step is dropped (steps that depend on it are skipped).
 * fuzz_track.c tracks the meaning of steps without tensors: which results exist, and which of the leaves they depend on
 * were overwritten since. */
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
    uint32_t bits; /* for all other choices */
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
    int8_t to[SHAPES];      /* 1 + the shape of the result, by that of the first operand; 0: not allowed */
    uint32_t reads, tracks; /* leaves read; leaves written in training, otherwise read */
    bool cuts, views;       /* stops gradients; the result may alias the operand */
    tg_tensor *(*apply)(fuzz_model *m, tg_scope *s, tg_tensor *a, tg_tensor *b, uint32_t bits);
} fuzz_op;

extern const fuzz_op fuzz_ops[];
extern const int fuzz_op_count;
/* Values depend on data_seed; the optimizer and its clipping, on the program's seed. */
void fuzz_open_model(fuzz_model *m, tg_scope *root, uint64_t seed, uint64_t data_seed);
const char *fuzz_leaf_name(int leaf);
bool fuzz_is_param(int leaf); /* a parameter of the module, changed by updates */
bool fuzz_wants_grad(int leaf);

/* ---- fuzz_track.c: what a program means, without tensors ---- */
typedef struct {
    bool alive[IDS], taped[IDS];
    uint8_t shape[IDS], level[IDS];  /* level: 0 in the root, 1 in the step, 2 in an evaluation within it */
    bool graded[LEAVES];             /* has a gradient */
    int16_t first_read[IDS][LEAVES]; /* the step at which it, or a value it depends on, read the leaf */
    int16_t written[LEAVES];         /* the last step that wrote the leaf */
    uint8_t nest[MAX_NESTING];       /* ENTER or EVAL, outermost first */
    int depth;
    bool in_eval;
} fuzz_track;

void fuzz_track_start(fuzz_track *t);
/* Tracks step i; false: it is not possible now, and nothing has changed. */
bool fuzz_track_step(fuzz_track *t, const fuzz_program *p, int i);
/* A leaf on which id depends was written after it was read, so recomputing or differentiating id may fail. */
bool fuzz_overwritten(const fuzz_track *t, int id);

/* ---- fuzz_generate.c ---- */
void fuzz_generate(fuzz_program *p, uint64_t seed);
void fuzz_print(const fuzz_program *p);

/* ---- fuzz_run.c ---- */
extern uint64_t fuzz_made_twice; /* values recomputed in runs that were compared with runs without recomputation */
extern uint64_t fuzz_epilogues;  /* calls with an update as epilogue; compared with runs without, too */
/* Runs the program in each mode and compares; false: results differ, or an unexpected failure. */
bool fuzz_check(const fuzz_program *p, uint64_t data_seed, char why[FUZZ_TEXT]);
#endif
