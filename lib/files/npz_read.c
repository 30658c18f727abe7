/* npz_read.c - reads NumPy's .npz: a ZIP file whose members NAME.npy are the tensors NAME; others are skipped.
 *
 * Members are read as sequential streams of inflated bytes, through one buffer; a stored member allows random access,
 * too.  When a stream that started at the beginning reaches the last byte, the member's CRC-32 is compared, and its
 * compressed bytes must end there. */
#include "npy.h"
#include "system.h"
#include "tensor_file_kind.h"
#include "zip.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { PIECE = 16 << 10 };

typedef struct {
    tg_zip_member *member; /* [f->n], in the order of the tensors */
    bool system;           /* the failure was a system error, not a damaged file */
    size_t *length;        /* [f->n] lengths of the .npy headers */
    int now;               /* the member whose stream is open; -1: none */
    uint64_t at, fed;      /* inflated bytes consumed; compressed bytes fed to z */
    bool from_start;       /* every byte up to `at` was read: crc covers them */
    bool ended;            /* deflate's end-of-stream mark was reached */
    uint32_t crc;
    bool z_open;
    z_stream z;
    uint8_t in[PIECE], skipped[PIECE];
} npz;

static bool recognises(const uint8_t *first, size_t n)
{
    return n >= 4 && (!memcmp(first, "PK\3\4", 4) || !memcmp(first, "PK\5\6", 4));
}

static bool read_at(tg_scope *s, tg_tensor_file *f, uint64_t at, size_t n, void *to)
{
    npz *const own = f->reader->own;
    own->system = !tg_read_at(s, f, at, n, to);
    return !own->system;
}

static bool refuse(tg_scope *s, tg_tensor_file *f, const char *trouble)
{
    npz *const own = f->reader->own;
    tg_name_text text;
    tg_fail(s, "%s: %s: %s", f->path, tg_printable(own->member[own->now].name, &text), trouble);
    return false;
}

/* ---- the stream of a member ---- */

static void *z_alloc(void *unused, unsigned n, unsigned size)
{
    (void)unused;
    return tg_system_alloc((size_t)n * size);
}

static void z_free(void *unused, void *block)
{
    (void)unused;
    tg_system_free(block);
}

static bool no_memory(tg_scope *s, tg_tensor_file *f)
{
    ((npz *)f->reader->own)->system = true;
    return refuse(s, f, "out of memory: zlib");
}

static bool begin(tg_scope *s, tg_tensor_file *f, int i)
{
    npz *const own = f->reader->own;
    own->now = i;
    own->at = own->fed = 0;
    own->crc = 0;
    own->ended = false;
    own->from_start = true;
    own->z.avail_in = 0;
    own->z.zalloc = z_alloc;
    own->z.zfree = z_free;
    if (!own->z_open) own->z_open = inflateInit2(&own->z, -MAX_WBITS) == Z_OK;
    else inflateReset(&own->z);
    return own->z_open || no_memory(s, f);
}

static bool feed(tg_scope *s, tg_tensor_file *f, const tg_zip_member *m)
{
    npz *const own = f->reader->own;
    const uint64_t left = m->packed - own->fed;
    const size_t n = left < PIECE ? (size_t)left : PIECE;
    if (n == 0) return refuse(s, f, "its compressed bytes end early");
    if (!read_at(s, f, m->data + own->fed, n, own->in)) return false;
    own->fed += n;
    own->z.next_in = own->in;
    own->z.avail_in = (unsigned)n;
    return true;
}

/* Inflates up to n bytes, fewer only at the stream's end.  Returns how many; n + 1: s has failed. */
static size_t inflate_some(tg_scope *s, tg_tensor_file *f, const tg_zip_member *m, size_t n, uint8_t *to)
{
    npz *const own = f->reader->own;
    size_t have = 0;
    while (have < n && !own->ended) {
        if (!own->z.avail_in && !feed(s, f, m)) return n + 1;
        const unsigned room = n - have < UINT_MAX ? (unsigned)(n - have) : UINT_MAX;
        own->z.next_out = to + have;
        own->z.avail_out = room;
        const int status = inflate(&own->z, Z_NO_FLUSH);
        have += room - own->z.avail_out;
        own->ended = status == Z_STREAM_END;
        if (status == Z_MEM_ERROR) return no_memory(s, f), n + 1;
        if (status != Z_OK && status != Z_BUF_ERROR && !own->ended)
            return refuse(s, f, "its compressed bytes are damaged"), n + 1;
    }
    return have;
}

/* Checks a member whose bytes were all read in order. */
static bool end(tg_scope *s, tg_tensor_file *f, const tg_zip_member *m)
{
    npz *const own = f->reader->own;
    uint8_t more;
    if (m->method == TG_ZIP_DEFLATED) {
        const size_t n = inflate_some(s, f, m, 1, &more);
        if (n > 1) return false;
        if (n > 0 || own->fed != m->packed || own->z.avail_in)
            return refuse(s, f, "its compressed bytes continue past its size");
    }
    return own->crc == m->crc || refuse(s, f, "the checksum (CRC-32) is wrong: it is damaged");
}

static bool take(tg_scope *s, void *from, size_t n, void *to)
{
    tg_tensor_file *const f = from;
    npz *const own = f->reader->own;
    const tg_zip_member *const m = &own->member[own->now];
    if (n > m->size - own->at) return refuse(s, f, "ends early");
    if (m->method == TG_ZIP_STORED) {
        if (!read_at(s, f, m->data + own->at, n, to)) return false;
    } else {
        const size_t have = inflate_some(s, f, m, n, to);
        if (have > n) return false;
        if (have < n) return refuse(s, f, "its compressed bytes end early");
    }
    own->at += n;
    if (own->from_start) own->crc = (uint32_t)crc32_z(own->crc, to, n);
    return own->at < m->size || !own->from_start || end(s, f, m);
}

/* ---- the table of contents ---- */

static bool is_npy(const tg_zip_member *m) { return m->length >= 4 && !memcmp(m->name + m->length - 4, ".npy", 4); }

/* Drops folders and all other members that are not .npy. */
static int keep_arrays(tg_scope *s, tg_tensor_file *f, tg_zip_member *m, int n)
{
    int kept = 0;
    bool pickle = false;
    for (int i = 0; i < n; i++) {
        pickle |= m[i].length >= 8 && !memcmp(m[i].name + m[i].length - 8, "data.pkl", 8);
        if (is_npy(&m[i])) m[kept++] = m[i];
    }
    if (n > 0 && kept == 0)
        tg_fail(s, "%s: %s", f->path,
                pickle ? "a PyTorch pickle; save the tensors with safetensors"
                       : "a ZIP file without arrays: none of its members is a .npy");
    return kept;
}

/* Lists an array that cannot be read, so that the others still can. */
static bool set_trouble(tg_scope *s, tg_file_tensor *t, const char *trouble)
{
    *t = (tg_file_tensor){ .name = t->name, .dtype = "unreadable", .trouble = tg_strdup(s, trouble) };
    return t->trouble;
}

/* Turns the failure of s into a trouble of this array alone, without the message's prefix `what`. */
static bool failure_to_trouble(tg_scope *s, tg_file_tensor *t, const char *what)
{
    char text[512];
    const size_t n = strlen(what); /* "x.npz: a.npy" */
    const char *const message = tg_message(s);
    snprintf(text, sizeof text, "%s", !strncmp(message, what, n) && message[n] == ':' ? message + n + 2 : message);
    tg_clear(s);
    return set_trouble(s, t, text);
}

static bool list_array(tg_scope *s, tg_tensor_file *f, int i)
{
    npz *const own = f->reader->own;
    tg_file_tensor *const t = &f->tensor[i];
    char what[sizeof(tg_name_text) + 1024];
    tg_name_text text;
    snprintf(what, sizeof what, "%.1000s: %s", f->path, tg_printable(own->member[i].name, &text));
    const tg_npy_source from = { what, own->member[i].size, take, f };
    own->system = false;
    t->dtype = ""; /* NULL afterwards means out of memory */
    if (begin(s, f, i) && tg_npy_take_header(s, &from, t, &f->reader->form[i], &own->length[i])) return true;
    return !own->system && t->dtype && failure_to_trouble(s, t, what);
}

/* Lists tensor i, which is member i. */
static bool list_tensor(tg_scope *s, tg_tensor_file *f, int i)
{
    npz *const own = f->reader->own;
    tg_zip_member *const m = &own->member[i];
    tg_file_tensor *const t = &f->tensor[i];
    tg_name_text text;
    const char *const bad_name = m->trouble ? NULL : tg_file_name_trouble(m->name, m->length - 4);
    const char *const trouble = bad_name ? bad_name : m->trouble;
    own->now = i;
    if (!(trouble ? set_trouble(s, t, trouble) : list_array(s, f, i))) return false;
    t->place = m->data + (m->method == TG_ZIP_STORED ? own->length[i] : 0);
    t->name = bad_name ? tg_strdup(s, tg_printable(m->name, &text)) : m->name;
    m->name[m->length - 4] = 0;
    return t->name;
}

static void close_npz(tg_tensor_file *f)
{
    npz *const own = f->reader->own;
    if (own && own->z_open) inflateEnd(&own->z);
    tg_system_free(own);
    f->reader->own = NULL;
}

static bool open_npz(tg_scope *s, tg_tensor_file *f)
{
    tg_zip_member *member = NULL;
    int n = 0;
    if (!tg_zip_members(s, f, &member, &n)) return false;
    n = keep_arrays(s, f, member, n);
    if (!tg_ok(s)) return false;
    npz *const own = f->reader->own = tg_system_alloc(sizeof *own);
    if (!own) {
        tg_fail(s, "%s: out of memory: %zu bytes", f->path, sizeof *own);
        return false;
    }
    own->member = member;
    own->length = tg_alloc(s, sizeof *own->length * ((size_t)n + 1));
    f->tensor = tg_alloc(s, sizeof *f->tensor * ((size_t)n + 1));
    f->reader->form = tg_alloc(s, sizeof *f->reader->form * ((size_t)n + 1));
    for (int i = 0; i < n && tg_ok(s); i++) list_tensor(s, f, i);
    f->n = n;
    if (!tg_ok(s)) close_npz(f);
    return tg_ok(s);
}

/* ---- reading ---- */

/* Seeks within member i: directly if it is stored; otherwise forward from the stream's position, or from its start. */
static bool seek(tg_scope *s, tg_tensor_file *f, int i, uint64_t at)
{
    npz *const own = f->reader->own;
    if (own->now != i || own->at > at || own->member[i].method == TG_ZIP_STORED) {
        if (own->now == i && own->at == at) return true;
        if (!begin(s, f, i)) return false;
        if (own->member[i].method == TG_ZIP_STORED && at > own->length[i]) {
            own->at = at;
            own->from_start = false;
        }
    }
    while (own->at < at) {
        const uint64_t left = at - own->at;
        if (!take(s, f, left < PIECE ? (size_t)left : PIECE, own->skipped)) return false;
    }
    return true;
}

static bool read_npz(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    npz *const own = f->reader->own;
    const bool good = seek(s, f, i, own->length[i] + from) && take(s, f, n, to);
    if (!good) own->now = -1;
    return good;
}

const tg_file_kind tg_npz_kind = { "npz", recognises, open_npz, read_npz, close_npz };
