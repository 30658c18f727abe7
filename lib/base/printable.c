/* printable.c - UTF-8 decoding, and escapes for characters unsafe in a terminal.  See printable.h. */
#include "printable.h"
#include <stdio.h>
#include <string.h>

size_t tg_utf8(const char *at, size_t n, uint32_t *code)
{
    static const uint32_t min_code[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const uint8_t first = (uint8_t)*at;
    const size_t length = first < 0x80 ? 1 : first < 0xc0 || first >= 0xf8 ? 0 : 2 + (first >= 0xe0) + (first >= 0xf0);
    if (length == 0 || length > n) return 0;
    *code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)at[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | ((uint8_t)at[i] & 0x3f);
    }
    const bool surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < min_code[length] || *code > 0x10ffff || surrogate ? 0 : length;
}

bool tg_is_control(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

/* Invisible, or changes the direction of the text that follows. */
static bool is_format(uint32_t code)
{
    return code == 0xad || code == 0x61c || code == 0x180e || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb) || (code >= 0x1d173 && code <= 0x1d17a) ||
           (code >= 0xe0000 && code <= 0xe0fff);
}

size_t tg_printable_piece(const char *at, size_t n, char piece[TG_PIECE])
{
    uint32_t code;
    const size_t length = tg_utf8(at, n, &code);
    if (!length) snprintf(piece, TG_PIECE, "\\x%02x", (uint8_t)*at);
    else if (tg_is_control(code) || is_format(code)) snprintf(piece, TG_PIECE, "\\u%04x", (unsigned)code);
    else snprintf(piece, TG_PIECE, "%.*s", (int)length, at);
    return length ? length : 1;
}

size_t tg_printable_text(const char *text, size_t n, char *to, size_t room)
{
    size_t all = 0, have = 0;
    for (size_t step; n > 0; text += step, n -= step) {
        char piece[TG_PIECE];
        step = tg_printable_piece(text, n, piece);
        const size_t more = strlen(piece);
        if (have == all && have + more < room) {
            memcpy(to + have, piece, more);
            have += more;
        }
        all += more;
    }
    if (room > 0) to[have] = 0;
    return all;
}
