/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module comes and goes while vCPUs set and get their state. With --flips its
 * parameters change as well, its debugfs files are read and are held open over an
 * unload, and its tracepoint is switched on and off.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/kmod/torture/torture.h"

/*
 * Not the event's own file, events/xferry/xferry_trim/enable: kernels (6.1 for one) follow
 * freed memory when that is opened while a module with an event goes, whichever module.
 */
#define SET_EVENT "/sys/kernel/tracing/set_event"

/* What the masks of a churn are made of. */
static const uint64_t masks[] = { 0, MASK_ALL, XF_PKRU, XF_AVX };
#define MASKS (sizeof(masks) / sizeof(*masks))

/* ---- The one who changes things ---- */

struct flipper {
	uint64_t seed;
	atomic_bool end;
	uint64_t writes, reads, absent; /* absent: there was no module at that time */
	char wrong[256];
};

static const struct {
	const char *file, *values[4];
} parameters[] = {
	{ "mode", { "trim", "observe", "trim", "observe" } },
	{ "components", { "all", "pkru", "avx", "0x204" } },
	{ "trim_get", { "1", "0", "1", "0" } },
};

static const char *const files[] = { MODULE_DEBUGFS "stats", MODULE_DEBUGFS "vms" };

/* Nobody knows whether the module is there, but what there is must be a value. */
static bool is_value(const char *file, const char *value)
{
	if (strcmp(file, "mode") == 0)
		return strcmp(value, "trim") == 0 || strcmp(value, "observe") == 0;
	if (strcmp(file, "trim_get") == 0)
		return strcmp(value, "Y") == 0 || strcmp(value, "N") == 0;
	return strncmp(value, "0x", 2) == 0 && isxdigit(value[2]) &&
	       strspn(value + 2, "0123456789abcdef") == strlen(value + 2);
}

static bool gone(int answer)
{
	return answer == ENOENT || answer == ENODEV || answer == ENXIO || answer == EIO;
}

static void tell(struct flipper *flipper, int answer, uint64_t *count, const char *what)
{
	if (!answer)
		(*count)++;
	else if (gone(answer))
		flipper->absent++;
	else if (!flipper->wrong[0])
		snprintf(flipper->wrong, sizeof(flipper->wrong), "%s: %s", what, strerror(answer));
}

static void flip_parameter(struct flipper *flipper)
{
	uint32_t which = any_of(&flipper->seed, 3);
	char path[128], value[64];

	snprintf(path, sizeof(path), MODULE_PARAMETERS "%s", parameters[which].file);
	tell(flipper, file_put(path, parameters[which].values[any_of(&flipper->seed, 4)]),
	     &flipper->writes, path);

	int answer = file_get(path, value, sizeof(value));

	tell(flipper, answer, &flipper->reads, path);
	if (!answer && !is_value(parameters[which].file, value) && !flipper->wrong[0])
		snprintf(flipper->wrong, sizeof(flipper->wrong), "%s reads %s", path, value);
}

/* Opened, left alone for a while in which the module may go, then read to its end. */
static void read_file(struct flipper *flipper)
{
	const char *path = files[any_of(&flipper->seed, 2)];
	XF_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got = -1;

	if (fd >= 0) {
		usleep(any_of(&flipper->seed, 3000));
		do
			got = read(fd, text, sizeof(text));
		while (got > 0);
	}
	tell(flipper, got < 0 ? errno : 0, &flipper->reads, path);
}

static void flip_trace(struct flipper *flipper)
{
	int answer = file_put(SET_EVENT, any_of(&flipper->seed, 2) ? "xferry:xferry_trim\n"
								   : "!xferry:xferry_trim\n");

	/* EINVAL: there is no such event now. */
	tell(flipper, answer == EINVAL ? ENOENT : answer, &flipper->writes, SET_EVENT);
}

static void *flip(void *data)
{
	struct flipper *flipper = data;

	while (!flipper->end) {
		switch (any_of(&flipper->seed, 4)) {
		case 0:
			read_file(flipper);
			break;
		case 1:
			flip_trace(flipper);
			break;
		default:
			flip_parameter(flipper);
		}
		usleep(any_of(&flipper->seed, 500));
	}
	return NULL;
}

/* ---- The one who loads ---- */

static const char *const loads[] = {
	"mode=trim",
	"mode=trim trim_get=1",
	"mode=observe trim_get=1",
	"mode=trim components=pkru",
	"",
	"mode=trim components=avx trim_get=1",
};

/* The console tells how far a long churn has come. */
#define TOLD_EVERY 50

struct loader {
	const struct torture *torture;
	struct riders *riders;
	uint64_t seed, done;
	unsigned long busy;
};

/* In, until the riders have met it, and out; most times at once, to hit them amid a call. */
static bool load_once(struct loader *loader)
{
	const struct torture *torture = loader->torture;
	const char *parameter = loads[any_of(&loader->seed, 6)];
	int answer = module_load(torture->module, parameter);

	if (answer)
		return complain("load %" PRIu64 " (%s): %s", loader->done, parameter,
				strerror(answer));
	if (any_of(&loader->seed, 4) == 0)
		riders_wait(loader->riders, 4 * GENERATE_RUN);
	else
		usleep(any_of(&loader->seed, 3000));
	answer = module_unload_patiently(torture->name, &loader->busy);
	if (answer)
		return complain("unload %" PRIu64 ": %s", loader->done, strerror(answer));
	if (any_of(&loader->seed, 8) == 0)
		riders_wait(loader->riders, GENERATE_RUN);
	if (++loader->done % TOLD_EVERY == 0)
		fprintf(stderr, "churn: %" PRIu64 " loads\n", loader->done);
	return true;
}

bool scene_churn(const struct torture *torture)
{
	struct riders riders;
	struct riders_sum sum;
	struct loader loader = { .torture = torture, .riders = &riders, .seed = torture->seed };
	struct flipper flipper = { .seed = torture->seed + 1 };
	pthread_t flipping;
	double begin = now();

	if (!riders_begin(torture, masks, MASKS, BELIEF_EITHER, &riders))
		return false;
	if (torture->flips && pthread_create(&flipping, NULL, flip, &flipper) != 0)
		return complain("no thread");

	bool right = true;

	while (right && loader.done < torture->rounds)
		right = load_once(&loader);
	flipper.end = true;
	if (torture->flips)
		pthread_join(flipping, NULL);
	right &= riders_end(&riders, &sum);
	report("churn loads %" PRIu64 " sets %" PRIu64 " gets %" PRIu64 " accepted %" PRIu64
	       " refused %" PRIu64 " hooked %" PRIu64 " plain %" PRIu64 " wrong %u busy %lu"
	       " writes %" PRIu64 " reads %" PRIu64 " absent %" PRIu64 " seconds %.1f",
	       loader.done, sum.sets, sum.gets, sum.accepted, sum.refused, sum.hooked, sum.plain,
	       sum.wrong, loader.busy, flipper.writes, flipper.reads, flipper.absent,
	       now() - begin);
	if (flipper.wrong[0])
		return complain("%s", flipper.wrong);
	if (module_left(torture->name))
		return complain("something of %s is left", torture->name);
	/* A churn in which the module was never met, or never missed, shows nothing. */
	if (right && (!sum.hooked || !sum.plain))
		return complain("the riders met it %" PRIu64 " times and missed it %" PRIu64
				" times",
				sum.hooked, sum.plain);
	return right && (!torture->flips || (flipper.writes && flipper.reads));
}
