/* samples_layers.c - rows for the operators that only layers use. */
#include "op_samples.h"

extern op_sample samples_increment[];
op_sample samples_increment[] = { { "counter", { CLASSES(1000, 1) }, NULL, 0, 0 },
                                  { "counter_i32", { I32(1000, 1) }, NULL, 0, 0 },
                                  { 0 } };
