/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on many things at once. What comes of it is taken in the order in which it was
 * given, so what is told does not depend on the number of workers.
 */
#ifndef XF_CLI_CREW_H
#define XF_CLI_CREW_H

#include <stdbool.h>

struct crew;

/* Up to `size` workers; `work` is called for each thing by any one of them. NULL: errno. */
struct crew *crew_start(unsigned int size, void (*work)(void *data, void *thing), void *data);

/* Waits until all work is done. All that was given must have been taken. */
void crew_end(struct crew *crew);

/* Whether another thing can be given before one is taken. */
bool crew_has_room(const struct crew *crew);
bool crew_is_empty(const struct crew *crew);

/* `done`: nothing is to be done about it, it only keeps its place. There must be room. */
void crew_give(struct crew *crew, void *thing, bool done);

/*
 * The next thing that is done, in the order given; waits so many milliseconds at most.
 * NULL: none is done yet, or none was given.
 */
void *crew_take(struct crew *crew, unsigned int wait_ms);

/* The CPUs that this process may use. */
unsigned int crew_cpus(void);

#endif
