/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first program that never ends: what the lab's time limit is tried on. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("stubborn: here for ever");
	fflush(stdout);
	for (;;)
		pause();
}
