/* quota.h - the CPU quota that this process's control groups impose. */
#ifndef TG_QUOTA_H
#define TG_QUOTA_H

/* In processors, such as 1.5; 0: no limit.  The minimum over the process's group and its ancestors, for cgroup v1 and
 * v2.  root: the parent of /proc and /sys; "" except in tests. */
double tg_cpu_quota(const char *root);
#endif
