/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kmod/torture/torture.h"

/* A rider's answers are counted where others see them after so many. */
#define WAIT_US 2000

struct riders_thread {
	struct riders *riders;
	struct rider *rider;
	pthread_t thread;
	bool started;
	atomic_bool wrong;
};

static void *ride_on(void *data)
{
	struct riders_thread *thread = data;
	struct riders *riders = thread->riders;

	for (uint64_t run = 0; !riders->end; run++) {
		if (!rider_run(thread->rider, run)) {
			thread->wrong = true;
			break;
		}
		riders->sets += GENERATE_RUN;
	}
	return NULL;
}

bool riders_begin(const struct torture *torture, const uint64_t *masks, unsigned int mask_count,
		  enum belief_trim get, struct riders *out)
{
	out->torture = torture;
	out->ride = (struct ride){ .host = torture->host,
				   .mask_count = mask_count,
				   .get = get,
				   .states = torture->states };
	memcpy(out->ride.masks, masks, mask_count * sizeof(*masks));
	out->end = false;
	out->sets = 0;
	out->threads = calloc(torture->threads, sizeof(*out->threads));
	if (!out->threads)
		return complain("out of memory");
	for (unsigned int i = 0; i < torture->threads; i++) {
		struct riders_thread *thread = &out->threads[i];

		thread->riders = out;
		thread->rider = rider_open(&out->ride, torture->seed + i);
		if (!thread->rider || pthread_create(&thread->thread, NULL, ride_on, thread) != 0)
			return complain("rider %u cannot begin", i);
		thread->started = true;
	}
	return true;
}

static bool any_wrong(const struct riders *riders)
{
	for (unsigned int i = 0; i < riders->torture->threads; i++)
		if (riders->threads[i].wrong)
			return true;
	return false;
}

void riders_wait(struct riders *riders, unsigned long long sets)
{
	unsigned long long until = riders->sets + sets;

	while (riders->sets < until && !any_wrong(riders))
		usleep(WAIT_US);
}

bool riders_end(struct riders *riders, struct riders_sum *out)
{
	*out = (struct riders_sum){ 0 };
	riders->end = true;
	for (unsigned int i = 0; i < riders->torture->threads; i++) {
		struct riders_thread *thread = &riders->threads[i];
		struct rider *rider = thread->rider;

		if (thread->started)
			pthread_join(thread->thread, NULL);
		if (!rider)
			continue;
		out->sets += rider->sets;
		out->gets += rider->gets;
		out->accepted += rider->accepted;
		out->refused += rider->refused;
		out->hooked += rider->hooked;
		out->plain += rider->plain;
		if (thread->wrong) {
			out->wrong++;
			complain("%s", rider->wrong);
		}
		rider_close(rider);
	}
	free(riders->threads);
	return !out->wrong;
}

bool ride_steadily(const struct torture *torture, uint64_t mask, enum belief_trim get,
		   uint64_t runs)
{
	struct ride ride = { .host = torture->host,
			     .masks = { mask },
			     .mask_count = 1,
			     .get = get,
			     .states = torture->states };
	struct rider *rider = rider_open(&ride, torture->seed);
	bool right = rider;

	for (uint64_t run = 0; right && run < runs; run++)
		right = rider_run(rider, run);
	if (rider && !right)
		complain("components %#llx, trim_get %s: %s", (unsigned long long)mask,
			 get == BELIEF_TRIMMED ? "1" : "0", rider->wrong);
	if (rider)
		rider_close(rider);
	return right;
}
