/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the version of Landlock that this kernel has; 0: none, or it is switched off. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
#ifdef SYS_landlock_create_ruleset
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
#else
	long version = 0;
#endif

	return printf("%ld\n", version > 0 ? version : 0) < 0;
}
