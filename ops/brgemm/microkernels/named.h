/* named.h - names for functions that several microkernels compile: with SUFFIX avx512, NAMED(load) is load_avx512, so
 * profilers, debuggers and sanitizers show which microkernel it belongs to. */
#ifndef TG_NAMED_H
#define TG_NAMED_H
#define NAMED_(name, suffix)  name##_##suffix
#define NAMED__(name, suffix) NAMED_(name, suffix)
#define NAMED(name)           NAMED__(name, SUFFIX)
#endif
