/* fuzz_programs.c - random programs, each run in several modes that must agree: fuzz_programs N [SEED].
 *
 * A difference counts if it shows with three data sets: rounding may push a value across a kink of relu once, but a
 * real error shows with any data.  Failing programs are shrunk and listed.  Everything runs in a child process, so that
 * a crash is found and shrunk like any other failure. */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINE, WRONG, FLUKE, CRASHED = 100 };

typedef struct { /* shared with the child */
    uint64_t at; /* the current seed */
    uint64_t flukes, made_twice, epilogues;
    char why[FUZZ_TEXT];
} report;

static report *shared;

static int judge(const fuzz_program *p)
{
    char other[FUZZ_TEXT];
    if (fuzz_check(p, 1, shared->why)) return FINE;
    for (uint64_t data_seed = 2; data_seed < 4; data_seed++)
        if (fuzz_check(p, data_seed, other)) return FLUKE;
    return WRONG;
}

/* The verdict of a child process that calls judge. */
static int judge_apart(const fuzz_program *p)
{
    int status;
    pid_t child = fork();
    if (child == 0) _exit(judge(p));
    if (child < 0 || waitpid(child, &status, 0) != child) return FINE;
    return WIFEXITED(status) && WEXITSTATUS(status) <= FLUKE ? WEXITSTATUS(status) : CRASHED;
}

static bool still_wrong(const fuzz_program *p)
{
    int verdict = judge_apart(p);
    return verdict == WRONG || verdict == CRASHED;
}

/* Drops steps while the program still fails, long ranges first. */
static void shrink(fuzz_program *p)
{
    bool smaller = true;
    for (int length = MAX_STEPS / 2; length; length = smaller && length == 1 ? 1 : length / 2) {
        smaller = false;
        for (int from = p->n - 1; from >= 0; from--) {
            fuzz_program shorter = *p;
            int dropped = 0;
            for (int i = from; i > from - length && i >= 0; i--) {
                dropped += shorter.step[i].kind != DROPPED;
                shorter.step[i].kind = DROPPED;
            }
            if (!dropped || !still_wrong(&shorter)) continue;
            *p = shorter;
            smaller = true;
        }
    }
}

static void tell(uint64_t seed)
{
    fuzz_program p;
    fuzz_generate(&p, seed);
    snprintf(shared->why, sizeof shared->why, "crashed");
    int first = judge_apart(&p);
    printf("seed %llu: %s\n", (unsigned long long)seed, first == CRASHED ? "crashed" : shared->why);
    fflush(stdout);
    shrink(&p);
    snprintf(shared->why, sizeof shared->why, "crashed");
    int last = judge_apart(&p);
    fuzz_print(&p);
    printf("  -> %s\n  again: fuzz_programs 1 %llu\n", last == CRASHED ? "crashed" : shared->why,
           (unsigned long long)seed);
    fflush(stdout);
}

/* Tries seeds [from, to) in a child process; returns the first that fails, or `to`. */
static uint64_t first_failure(uint64_t from, uint64_t to)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        for (shared->at = from; shared->at < to; shared->at++) {
            fuzz_program p;
            fuzz_generate(&p, shared->at);
            int verdict = judge(&p);
            shared->flukes += verdict == FLUKE;
            if (verdict == FLUKE) printf("seed %llu, once: %s\n", (unsigned long long)shared->at, shared->why);
            if (verdict == WRONG) break;
        }
        shared->made_twice += fuzz_made_twice;
        shared->epilogues += fuzz_epilogues;
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return from;
    return shared->at;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 100, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int failures = 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !tg_set_threads(1)) return 1;
    printf("%llu programs, seeds %llu to %llu\n", (unsigned long long)n, (unsigned long long)seed,
           (unsigned long long)(seed + n - 1));
    fflush(stdout);
    for (uint64_t at = seed; at < seed + n && failures < 5; at++) {
        at = first_failure(at, seed + n);
        if (at >= seed + n) break;
        tell(at);
        failures++;
    }
    printf("%d failures, %llu differences by rounding, %llu values made twice, %llu epilogues\n", failures,
           (unsigned long long)shared->flukes, (unsigned long long)shared->made_twice,
           (unsigned long long)shared->epilogues);
    return failures ? 1 : 0;
}
