/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "cli/crew.h"

/* One thing that takes long keeps so many others from being told of, and no more in memory. */
#define ROOM 1024

struct place {
	void *thing;
	bool done;
};

/* What is in places first to end was given and not taken; of it next to end waits for a worker. */
struct crew {
	pthread_mutex_t lock;
	pthread_cond_t given, done;
	struct place places[ROOM];
	uint64_t first, next, end;
	bool closed;

	void (*work)(void *data, void *thing);
	void *data;
	unsigned int size;
	pthread_t workers[];
};

static struct place *place_of(struct crew *crew, uint64_t n)
{
	return &crew->places[n % ROOM];
}

/* With the lock held: the next thing to be worked on, or NULL when the crew is closed. */
static struct place *next_place(struct crew *crew)
{
	for (;;) {
		while (crew->next < crew->end) {
			struct place *place = place_of(crew, crew->next++);

			if (!place->done)
				return place;
		}
		if (crew->closed)
			return NULL;
		pthread_cond_wait(&crew->given, &crew->lock);
	}
}

static void *run_worker(void *data)
{
	struct crew *crew = data;

	pthread_mutex_lock(&crew->lock);
	for (struct place *place; (place = next_place(crew));) {
		pthread_mutex_unlock(&crew->lock);
		crew->work(crew->data, place->thing);
		pthread_mutex_lock(&crew->lock);
		place->done = true;
		if (place == place_of(crew, crew->first))
			pthread_cond_signal(&crew->done);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void init_conditions(struct crew *crew)
{
	pthread_condattr_t clock;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->given, NULL);
	pthread_cond_init(&crew->done, &clock);
	pthread_condattr_destroy(&clock);
}

struct crew *crew_start(unsigned int size, void (*work)(void *data, void *thing), void *data)
{
	struct crew *crew = calloc(1, sizeof(*crew) + size * sizeof(crew->workers[0]));

	if (!crew)
		return NULL;
	crew->work = work;
	crew->data = data;
	init_conditions(crew);

	int error = 0;

	/* Fewer than were asked for do as well. */
	while (crew->size < size && !error) {
		error = pthread_create(&crew->workers[crew->size], NULL, run_worker, crew);
		crew->size += !error;
	}
	if (crew->size)
		return crew;
	crew_end(crew);
	errno = error;
	return NULL;
}

void crew_end(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->closed = true;
	pthread_cond_broadcast(&crew->given);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned int i = 0; i < crew->size; i++)
		pthread_join(crew->workers[i], NULL);
	pthread_cond_destroy(&crew->given);
	pthread_cond_destroy(&crew->done);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

/* Only who gives and takes changes first and end, and that is who asks. */
bool crew_has_room(const struct crew *crew)
{
	return crew->end - crew->first < ROOM;
}

bool crew_is_empty(const struct crew *crew)
{
	return crew->end == crew->first;
}

void crew_give(struct crew *crew, void *thing, bool done)
{
	pthread_mutex_lock(&crew->lock);
	*place_of(crew, crew->end) = (struct place){ thing, done };
	crew->end++;
	pthread_cond_signal(&crew->given);
	pthread_mutex_unlock(&crew->lock);
}

static struct timespec after_ms(unsigned int ms)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec += ms / 1000;
	when.tv_nsec += ms % 1000 * 1000000L;
	if (when.tv_nsec >= 1000000000L) {
		when.tv_sec++;
		when.tv_nsec -= 1000000000L;
	}
	return when;
}

void *crew_take(struct crew *crew, unsigned int wait_ms)
{
	struct timespec until = after_ms(wait_ms);
	void *thing = NULL;

	pthread_mutex_lock(&crew->lock);

	struct place *place = place_of(crew, crew->first);

	while (crew->first < crew->end && !place->done)
		if (!wait_ms || pthread_cond_timedwait(&crew->done, &crew->lock, &until) != 0)
			break;
	if (crew->first < crew->end && place->done) {
		thing = place->thing;
		/* A place of which no worker knew may be taken before one passes it. */
		if (crew->next == crew->first)
			crew->next++;
		crew->first++;
	}
	pthread_mutex_unlock(&crew->lock);
	return thing;
}

unsigned int crew_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned int)CPU_COUNT(&cpus) : 1;
}
