/* printable.h - makes untrusted text safe to print in a terminal.  Private.
 *
 * Control characters, invisible ones, and those that change the direction of the text are written as \u001b or \u202e;
 * a byte that is not valid UTF-8 as \xff.  Everything else is left unchanged. */
#ifndef TG_PRINTABLE_H
#define TG_PRINTABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the character at `at`, where n > 0 bytes are left.  Returns its length in bytes; 0: not valid UTF-8. */
size_t tg_utf8(const char *at, size_t n, uint32_t *code);
bool tg_is_control(uint32_t code); /* C0, DEL or C1 */

enum { TG_PIECE = 12 };
/* Writes the printable form of the character at `at`, where n > 0 bytes are left.  Returns the bytes it consumed. */
size_t tg_printable_piece(const char *at, size_t n, char piece[TG_PIECE]);
/* Writes the printable form of n bytes of text, truncated to fit and terminated.  Returns the full length, as snprintf
 * does. */
size_t tg_printable_text(const char *text, size_t n, char *to, size_t room);
#endif
