/* output.c - see output.h. */
#include "output.h"
#include "command.h"
#include "printable.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 4096, LONGEST = 4 };

typedef struct {
    int fd, error;           /* of its first failed write */
    char character[LONGEST]; /* the bytes of an incomplete UTF-8 character */
    size_t have, n;
    char ready[ROOM]; /* [n] escaped */
} sink;

static sink out = { .fd = STDOUT_FILENO }, err = { .fd = STDERR_FILENO };
static const char *title = "tilegrad";

static bool put(int fd, const char *bytes, size_t n)
{
    for (ssize_t some; n > 0; bytes += some, n -= (size_t)some) {
        some = TEMP_FAILURE_RETRY(write(fd, bytes, n));
        if (some >= 0) continue;
        if (errno != EAGAIN) return false;
        poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1); /* another process made it non-blocking */
        some = 0;
    }
    return true;
}

static bool drain(sink *to)
{
    const size_t n = to->n;
    to->n = 0;
    if (put(to->fd, to->ready, n)) return true;
    if (!to->error) to->error = errno;
    return false;
}

/* ---- escaping ---- */

/* The length in bytes of a UTF-8 character with this first byte. */
static size_t length_of(char first)
{
    const unsigned char byte = (unsigned char)first;
    return byte < 0xc2 || byte > 0xf4 ? 1 : 2 + (byte >= 0xe0) + (byte >= 0xf0);
}

static bool is_continuation(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

/* Prints the pending character, complete or not. */
static bool emit_character(sink *to)
{
    char piece[TG_PIECE];
    for (size_t at = 0; at < to->have;) {
        at += tg_printable_piece(to->character + at, to->have - at, piece);
        const size_t more = strlen(piece);
        if (to->n + more > ROOM && !drain(to)) return false;
        memcpy(to->ready + to->n, piece, more);
        to->n += more;
    }
    to->have = 0;
    return true;
}

static bool emit_byte(sink *to, char byte)
{
    if (to->have > 0 && !is_continuation(byte) && !emit_character(to)) return false;
    if (byte == '\n' || (byte >= ' ' && byte <= '~')) {
        if (to->n == ROOM && !drain(to)) return false;
        to->ready[to->n++] = byte;
        return true;
    }
    to->character[to->have++] = byte;
    return to->have < length_of(to->character[0]) || emit_character(to);
}

static ssize_t write_text(void *cookie, const char *text, size_t n)
{
    sink *const to = cookie;
    for (size_t i = 0; i < n; i++)
        if (!emit_byte(to, text[i])) return 0;
    return drain(to) ? (ssize_t)n : 0;
}

/* ---- the streams ---- */

/* Occupies closed standard descriptors, lest a file opened later receive what is printed. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDONLY);
}

static FILE *open_stream(sink *to, FILE *otherwise, int buffering)
{
    FILE *const stream = fopencookie(to, "w", (cookie_io_functions_t){ .write = write_text });
    if (stream) setvbuf(stream, NULL, buffering, 0);
    return stream ? stream : otherwise;
}

static void check_output(int status, void *unused)
{
    (void)unused;
    const bool passed = emit_character(&out), flushed = fflush(stdout) == 0;
    const bool done = passed && flushed && !ferror(stdout) && !out.error;
    if (done || (status && out.error == EPIPE)) return;
    fprintf(stderr, "%s: standard output cannot be written: %s\n", title, strerror(out.error));
    fflush(stderr);
    if (!status) _exit(EXIT_FAILED);
}

void output_open(void)
{
    fill_standard_descriptors();
    stdout = open_stream(&out, stdout, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    stderr = open_stream(&err, stderr, _IOLBF);
    on_exit(check_output, NULL);
}

void output_title(const char *text) { title = text; }

int output_fd(const FILE *to) { return to == stdout ? out.fd : err.fd; }

void output_raw(FILE *to, const char *bytes, size_t n)
{
    sink *const at = to == stdout ? &out : &err;
    fflush(to);
    if (!put(at->fd, bytes, n) && !at->error) at->error = errno;
}

const char *output_name(const char *text, output_text *room)
{
    tg_printable_text(text, strlen(text), room->text, sizeof room->text);
    return room->text;
}
