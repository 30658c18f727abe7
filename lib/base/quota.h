/* quota.h - how much processor time the control groups of this process leave it. */
#ifndef TG_QUOTA_H
#define TG_QUOTA_H

/* In processors, such as 1.5; 0: no limit.  The least on the way from the process's group to the root counts, for both
 * versions of control groups.  root: where /proc and /sys begin, "" but in tests. */
double tg_cpu_quota(const char *root);
#endif
