/* quota.c - reads the CPU quota from cgroup v1 and v2.  See quota.h.
 *
 * /proc/self/cgroup names the process's group; /proc/self/mountinfo shows where the hierarchy is mounted, and which
 * group is the mount's root: in a container that is often its own group. */
#include "quota.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char root[PATH_MAX], at[PATH_MAX];
    bool v2;
} mount;

static bool has_word(const char *list, const char *word)
{
    for (const size_t length = strlen(word); *list; list += strcspn(list, ","), list += *list == ',')
        if (!strncmp(list, word, length) && (!list[length] || list[length] == ',')) return true;
    return false;
}

/* ---- one group ---- */

static double read_number(const char *root, const char *folder, const char *name)
{
    char path[3 * PATH_MAX];
    double value = 0;
    snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    FILE *const f = fopen(path, "re");
    if (f && fscanf(f, "%lf", &value) != 1) value = 0; /* "max", or -1 */
    if (f) fclose(f);
    return value;
}

static double read_max(const char *root, const char *folder)
{
    char path[3 * PATH_MAX];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s%s/cpu.max", root, folder);
    FILE *const f = fopen(path, "re");
    if (f && fscanf(f, "%lf %lf", &quota, &period) != 2) quota = 0;
    if (f) fclose(f);
    return quota > 0 && period > 0 ? quota / period : 0;
}

static double quota_of(const char *root, const char *folder, bool v2)
{
    if (v2) return read_max(root, folder);
    const double quota = read_number(root, folder, "cpu.cfs_quota_us"),
                 period = read_number(root, folder, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* ---- from the group up to the root ---- */

static double min_quota_up(const char *root, const mount *m, const char *group)
{
    char folder[2 * PATH_MAX];
    const size_t shown = strcmp(m->root, "/") ? strlen(m->root) : 0, top = strlen(m->at);
    const bool inside = !strncmp(group, m->root, shown) && (!group[shown] || group[shown] == '/');
    double min = 0;
    snprintf(folder, sizeof folder, "%s%s", m->at, inside ? group + shown : "");
    for (;;) {
        const double here = quota_of(root, folder, m->v2);
        if (here > 0 && (min <= 0 || here < min)) min = here;
        char *const slash = strrchr(folder, '/');
        if (!slash || slash < folder + top) return min;
        *slash = '\0';
    }
}

/* A line of mountinfo: "30 23 0:26 ROOT AT OPTIONS [...] - TYPE SOURCE SUPER_OPTIONS". */
static bool parse_mount(const char *line, mount *m)
{
    char type[64], super[1024] = "";
    const char *const rest = strstr(line, " - ");
    if (!rest || sscanf(rest, " - %63s %*s %1023s", type, super) < 1) return false;
    m->v2 = !strcmp(type, "cgroup2");
    if (!m->v2 && (strcmp(type, "cgroup") || !has_word(super, "cpu"))) return false;
    return sscanf(line, "%*s %*s %*s %4095s %4095s", m->root, m->at) == 2;
}

/* A line of /proc/self/cgroup: "0::GROUP" in version 2, "4:cpu,cpuacct:GROUP" in version 1. */
static bool find_group(const char *root, bool v2, char *line, size_t size, const char **group)
{
    char path[PATH_MAX];
    bool found = false;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *const f = fopen(path, "re");
    while (f && !found && fgets(line, (int)size, f)) {
        char *const list = strchr(line, ':'), *const at = list ? strchr(list + 1, ':') : NULL;
        if (!at) continue;
        *at = '\0';
        found = v2 ? !strncmp(line, "0:", 2) && !list[1] : has_word(list + 1, "cpu");
        *group = at + 1;
        at[1 + strcspn(at + 1, "\n")] = '\0';
    }
    if (f) fclose(f);
    return found;
}

double tg_cpu_quota(const char *root)
{
    char line[3 * PATH_MAX], own[PATH_MAX + 256], path[PATH_MAX];
    const char *group;
    double min = 0;
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *const f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        mount m;
        if (!parse_mount(line, &m) || !find_group(root, m.v2, own, sizeof own, &group)) continue;
        const double here = min_quota_up(root, &m, group);
        if (here > 0 && (min <= 0 || here < min)) min = here;
    }
    if (f) fclose(f);
    return min;
}
