/* reduce_axes.h - splits reductions over any axes into tasks. A unit is one result, or a strip of a lane of results. */
#ifndef TG_REDUCE_AXES_H
#define TG_REDUCE_AXES_H
#include "axes.h"
#include "vector.h"

enum { TG_STRIP = 256 };

typedef struct {
    tg_axes_cut cut;
    int64_t strips, units, task_units; /* strips of a lane, if lanes are kept */
} tg_units;

/* Where a unit begins in x, where its results begin in y, and how many there are. */
typedef struct {
    int64_t x, y, n;
} tg_unit;

static inline tg_units tg_units_of(const tg_tensor *x, uint32_t axes)
{
    tg_units u = { .cut = tg_cut_axes(x, axes), .strips = 1 };
    const int64_t width = u.cut.lane < TG_STRIP ? u.cut.lane : TG_STRIP;
    if (!u.cut.gone_last) u.strips = (u.cut.lane + TG_STRIP - 1) / TG_STRIP;
    u.units = u.cut.kept.count * u.strips;
    u.task_units = TG_VECTOR_BLOCK / (u.cut.gone.count * (u.cut.gone_last ? u.cut.lane : width));
    if (u.task_units < 1) u.task_units = 1;
    return u;
}

static inline int64_t tg_unit_tasks(const tg_units *u) { return (u->units + u->task_units - 1) / u->task_units; }

static inline int64_t tg_units_end(const tg_units *u, int64_t task)
{
    return (task + 1) * u->task_units < u->units ? (task + 1) * u->task_units : u->units;
}

static inline tg_unit tg_unit_at(const tg_units *u, int64_t i)
{
    const int64_t o = i / u->strips, from = i % u->strips * TG_STRIP, left = u->cut.lane - from;
    const int64_t x = tg_loop_at(&u->cut.kept, o).offset;
    if (u->cut.gone_last) return (tg_unit){ x, o, 1 };
    return (tg_unit){ x + from, o * u->cut.lane + from, left < TG_STRIP ? left : TG_STRIP };
}
#endif
