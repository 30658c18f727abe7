/* printable.h - text from anywhere as a terminal may safely be given it.  Private.
 *
 * A character that is invisible, that a terminal takes for a command, or that turns the direction of what follows is
 * written as \u001b or \u202e; a byte that is no valid UTF-8 as \xff.  Everything else stays as it is. */
#ifndef TG_PRINTABLE_H
#define TG_PRINTABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at `at`, of which n > 0 bytes are left: its bytes and code; 0: no valid UTF-8. */
size_t tg_utf8(const char *at, size_t n, uint32_t *code);
bool tg_is_control(uint32_t code); /* C0, DEL or C1 */

enum { TG_PIECE = 12 };
/* The character at `at`, of which n > 0 bytes are left, as it is printed.  Returns how many bytes it has there. */
size_t tg_printable_piece(const char *at, size_t n, char piece[TG_PIECE]);
/* n bytes of text, as much as fits, with a 0 behind it.  Returns the length of all of it, as snprintf does. */
size_t tg_printable_text(const char *text, size_t n, char *to, size_t room);
#endif
