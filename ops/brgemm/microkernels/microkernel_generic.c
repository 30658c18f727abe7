/* microkernel_generic.c - the microkernel in plain C: micro-tiles of 2 x 16 sums. */
#define SUFFIX generic
#include "microkernel_f32.h"

enum { ROWS = 2, COLUMNS = 16 };

static void NAMED(load)(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    const uint16_t *bits = from;
    float *f = to;
    if (dtype == TG_F32) memcpy(to, from, (size_t)n * sizeof *f);
    else
        for (int64_t i = 0; i < n; i++) f[i] = tg_bf16_to_f32(bits[i]);
}

static void load_16(const void *from, tg_dtype dtype, int n, float *to)
{
    if (n == 16 && dtype == TG_F32) { /* as in microkernel_avx2.c */
        memcpy(to, from, 16 * sizeof *to);
        return;
    }
    NAMED(load)(from, dtype, n, to);
    memset(to + n, 0, (size_t)(16 - n) * sizeof *to);
}

static void NAMED(widen)(const void *from, int64_t k, void *to)
{
    const uint16_t *pair = from;
    float *b = to;
    for (int64_t i = 0; i < k; i += 2, pair += 2 * TG_PANEL, b += 2 * TG_PANEL)
        for (int j = 0; j < TG_PANEL; j++) {
            b[j] = tg_bf16_to_f32(pair[2 * j]);
            b[j + TG_PANEL] = tg_bf16_to_f32(pair[2 * j + 1]);
        }
}

static void store_row(const tg_brgemm *p, int64_t c, int j0, const float *sum, int n)
{
    for (int j = 0; j < n; j++) {
        const int64_t at = c + j0 + j;
        float v = sum[j];
        if (p->bias) v += p->bias[j0 + j];
        if (p->relu && v < 0) v = 0;
        if (p->store == TG_F32) ((float *)p->c)[at] = v;
        else ((uint16_t *)p->c)[at] = tg_f32_to_bf16(v);
    }
}

/* rows x COLUMNS sums; those beyond column n use B's padding. */
TG_INLINE void microtile(int rows, const tg_brgemm *p, tg_row_offsets at, int j0, int n, const tg_batch_element *batch,
                         int count)
{
    float sum[ROWS][COLUMNS] = { { 0 } };
    for (int r = 0; p->from && r < rows; r++)
        memcpy(sum[r], p->from + at.from + r * p->from_row + j0, (size_t)n * sizeof(float));
    for (int i = 0; i < count; i++) {
        const float *a = (const float *)batch[i].a + at.a, *b = (const float *)batch[i].b + j0;
        for (int64_t k = 0; k < p->k; k++, a += p->step, b += TG_PANEL)
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < COLUMNS; j++) sum[r][j] += a[r * p->row] * b[j];
    }
    for (int r = 0; r < rows; r++) store_row(p, at.c + r * p->c_row, j0, sum[r], n);
}

static void NAMED(brgemm_line)(const tg_brgemm *p, int line, const tg_batch_element *batch, int count)
{
    for (int j = 0; j < p->n; j += COLUMNS) {
        const int n = p->n - j < COLUMNS ? p->n - j : COLUMNS;
        for (int r = 0, rows; r < p->m; r += rows) {
            rows = tg_next_rows(p->m - r, ROWS);
            if (rows == ROWS) microtile(ROWS, p, tg_row_offsets_at(p, line, r), j, n, batch, count);
            else microtile(1, p, tg_row_offsets_at(p, line, r), j, n, batch, count);
        }
    }
}

static void NAMED(brgemm)(const tg_brgemm *p, const tg_batch_element *batch, int count)
{
    for (int line = 0; line <= p->extra.count; line++) NAMED(brgemm_line)(p, line, batch, count);
}

TG_MICROKERNEL_F32(generic, TG_ISA_GENERIC);
