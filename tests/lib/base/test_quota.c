/* test_quota.c - the CPU quota of control groups, read from folders that look like /proc and /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "quota.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[PATH_MAX / 4];

/* Creates a file with these contents, and its folders. */
static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *const f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define V1   "33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V2   "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define SETS "34 32 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
#define QUOTA(folder, quota) \
    { folder "/cpu.cfs_quota_us", quota }, { folder "/cpu.cfs_period_us", "100000\n" }

static const struct {
    const char *name, *mounts, *groups;
    struct {
        const char *name, *text;
    } file[6];
    double want;
} rows[] = {
    { "no groups at all", "", "", { { 0 } }, 0 },
    { "v1: no quota", V1, "4:cpu,cpuacct:/\n", { QUOTA("/sys/fs/cgroup/cpu,cpuacct", "-1\n") }, 0 },
    { "v1: one and a half", V1, "4:cpu,cpuacct:/a\n", { QUOTA("/sys/fs/cgroup/cpu,cpuacct/a", "150000\n") }, 1.5 },
    { "v1: the parent has less",
      V1,
      "4:cpu,cpuacct:/a/b\n",
      { QUOTA("/sys/fs/cgroup/cpu,cpuacct/a", "50000\n"), QUOTA("/sys/fs/cgroup/cpu,cpuacct/a/b", "400000\n") },
      0.5 },
    { "v1: a container that sees its group as the root",
      "33 32 0:29 /docker/7f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
      "4:cpu:/docker/7f\n",
      { QUOTA("/sys/fs/cgroup/cpu", "200000\n") },
      2 },
    { "v1: a group within the container's",
      "33 32 0:29 /docker/7f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
      "4:cpu:/docker/7f/job\n",
      { QUOTA("/sys/fs/cgroup/cpu/job", "300000\n") },
      3 },
    { "v1: a group elsewhere",
      "33 32 0:29 /docker/7f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
      "4:cpu:/docker/7fff\n",
      { QUOTA("/sys/fs/cgroup/cpu", "100000\n") },
      1 },
    { "v1: cpuset is another controller", SETS, "4:cpuset:/\n", { QUOTA("/sys/fs/cgroup/cpuset", "100000\n") }, 0 },
    { "v2: max", V2, "0::/\n", { { "/sys/fs/cgroup/cpu.max", "max 100000\n" } }, 0 },
    { "v2: two and a half", V2, "0::/user/job\n", { { "/sys/fs/cgroup/user/job/cpu.max", "250000 100000\n" } }, 2.5 },
    { "v2: the least on the way",
      V2,
      "0::/a/b/c\n",
      { { "/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n" },
        { "/sys/fs/cgroup/a/b/cpu.max", "30000 20000\n" },
        { "/sys/fs/cgroup/a/cpu.max", "400000 100000\n" } },
      1.5 },
    { "v2: a container with a view of its own", V2, "0::/\n", { { "/sys/fs/cgroup/cpu.max", "100000 100000\n" } }, 1 },
    { "v2: a path from the host", V2, "0::/../../pod/x\n", { { "/sys/fs/cgroup/cpu.max", "300000 100000\n" } }, 3 },
    { "both versions",
      V1 V2,
      "4:cpu,cpuacct:/a\n0::/a\n",
      { QUOTA("/sys/fs/cgroup/cpu,cpuacct/a", "150000\n"), { "/sys/fs/cgroup/a/cpu.max", "700000 100000\n" } },
      1.5 },
    { "nonsense", "33 32\n - cgroup2\n" V2, "\n0\n0:\n0::/\n", { { "/sys/fs/cgroup/cpu.max", "much\n" } }, 0 },
    { "a period of 0", V2, "0::/\n", { { "/sys/fs/cgroup/cpu.max", "100000 0\n" } }, 0 },
};

static void the_least_quota_counts(void **state)
{
    char command[PATH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strcpy(root, "/tmp/tilegrad_quota_XXXXXX");
        assert_non_null(mkdtemp(root));
        put("/proc/self/mountinfo", rows[i].mounts);
        put("/proc/self/cgroup", rows[i].groups);
        for (int k = 0; k < 6 && rows[i].file[k].name; k++) put(rows[i].file[k].name, rows[i].file[k].text);
        const double got = tg_cpu_quota(root);
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
        if (got != rows[i].want) fail_msg("%s: %g, want %g", rows[i].name, got, rows[i].want);
    }
}

static void nothing_to_read(void **state)
{
    (void)state;
    assert_true(tg_cpu_quota("/nowhere") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_least_quota_counts), cmocka_unit_test(nothing_to_read) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
