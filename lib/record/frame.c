/* frame.c - invocations of modules.  They have numbers, as a storage may outlive the invocation that created it. */
#include "frame.h"
#include "core.h"

int32_t tg_frame_now(const tg_program *p)
{
    if (p->walking) return TG_CLOSED;
    int32_t top = p->n_frames < TG_MAX_FRAMES ? p->n_frames : TG_MAX_FRAMES;
    return top ? p->frames[top - 1].id : 0;
}

const char *tg_where_now(const tg_program *p)
{
    if (p->running || p->walking) return "";
    return p->n_frames && p->n_frames <= TG_MAX_FRAMES ? p->frames[p->n_frames - 1].where : "";
}

bool tg_frame_open(const tg_program *p, int32_t frame)
{
    for (int32_t i = 0; i < p->n_frames && i < TG_MAX_FRAMES; i++)
        if (p->frames[i].id == frame) return true;
    return false;
}

/* Enter and leave count even in a failed scope, so that they stay balanced. */
void tg_enter(tg_scope *s, const char *where)
{
    if (!s) return;
    tg_program *p = s->program;
    if (p->n_frames < TG_MAX_FRAMES) p->frames[p->n_frames] = (tg_frame){ ++p->last_frame, where ? where : "" };
    else tg_fail(s, "module: modules nested more than %d deep", TG_MAX_FRAMES);
    p->n_frames++;
}

void tg_leave_n(tg_scope *s, tg_tensor *const result[], int n)
{
    if (!s) return;
    tg_program *p = s->program;
    int32_t left = tg_frame_now(p);
    if (p->n_frames > 0) p->n_frames--;
    if (!tg_ok(s)) return;
    if (n > 0 && !result) tg_fail(s, "leave: the results are NULL");
    for (int i = 0; i < n && tg_ok(s); i++) {
        tg_storage *t = result[i] ? result[i]->storage : NULL;
        if (t && tg_wants_tensor(s, "leave", result[i]) && t->frame == left) t->frame = tg_frame_now(p);
    }
}

tg_tensor *tg_leave(tg_scope *s, tg_tensor *result)
{
    tg_leave_n(s, &result, 1);
    return tg_ok(s) && result ? result : tg_nil();
}
