/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that is given what it must not take: each time it says so in a line, and is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/kmod/torture/torture.h"

#define RUNS 12 /* of states, to see that answers are as they should be */

/* ---- Loaded twice ---- */

static bool hooked(const struct torture *torture)
{
	return ride_steadily(torture, MASK_ALL, BELIEF_TRIMMED, RUNS);
}

static bool plain(const struct torture *torture)
{
	return ride_steadily(torture, 0, BELIEF_PLAIN, RUNS);
}

static bool done(const char *what, int answer, int due)
{
	return answer == due ||
	       complain("%s: %s, expected %s", what, answer ? strerror(answer) : "no error",
			due ? strerror(due) : "no error");
}

/* The twin is the same code under another name: it has its own probes on the same functions. */
static bool with_twin(const struct torture *torture, const char *first, const char *second)
{
	const char *parameters = "mode=trim trim_get=1";

	if (!done("load", module_load(torture->module, parameters), 0) || !hooked(torture) ||
	    !done("load again", module_load(torture->module, parameters), EEXIST) ||
	    !done("load the twin", module_load(torture->twin, parameters), 0) || !hooked(torture))
		return false;
	return done("unload", module_unload(first), 0) && hooked(torture) &&
	       done("unload the other", module_unload(second), 0) && plain(torture);
}

bool scene_twice(const struct torture *torture)
{
	bool right = with_twin(torture, torture->name, "xferrz") &&
		     with_twin(torture, "xferrz", torture->name);

	report("twice left %d", module_left(torture->name));
	return right && !module_left(torture->name) && !module_left("xferrz");
}

/* ---- Parameters that are none ---- */

static const char *const bad[] = {
	"mode=",
	"mode=Trim",
	"mode=trimm",
	"mode",
	"components=",
	"components=,",
	"components=nosuch",
	"components=pkru,nosuch",
	"components=0x",
	"components=0xg",
	"components=0x10000000000000000",
	"components=-1",
	"components=2",
	"components=%s%s%n",
	("components="
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	"trim_get=",
	"trim_get=2",
	"trim_get=maybe",
};

/* At load: EINVAL, one line of the module's own, and it is not there. */
static bool bad_load(const struct torture *torture, const char *parameter)
{
	struct kmsg kmsg = kmsg_here();
	int answer = module_load(torture->module, parameter);
	unsigned int lines = kmsg_count(&kmsg, "xferry: ");

	kmsg_close(&kmsg);
	if (!answer)
		(void)module_unload(torture->name);
	if (!done(parameter, answer, EINVAL))
		return false;
	if (module_left(torture->name))
		return complain("something is left of it, refused with %s", parameter);
	/* The kernel has a line of its own for it: "`x' invalid for parameter `y'". */
	return (lines >= 1 && lines <= 2) || complain("%s: %u lines in the log", parameter, lines);
}

/* At run time: EINVAL, one line, and the value is what it was. */
static bool bad_write(const char *parameter)
{
	char path[128], before[64], after[64];
	const char *value = parameter + strcspn(parameter, "=") + 1;

	if (!strchr(parameter, '='))
		return true;
	snprintf(path, sizeof(path), MODULE_PARAMETERS "%.*s", (int)strcspn(parameter, "="),
		 parameter);

	int got = file_get(path, before, sizeof(before));
	struct kmsg kmsg = kmsg_here();
	char line[256];

	snprintf(line, sizeof(line), "%s\n", value);

	int answer = file_put(path, line);
	unsigned int lines = kmsg_count(&kmsg, "xferry: ");

	kmsg_close(&kmsg);
	if (got || file_get(path, after, sizeof(after)))
		return complain("%s cannot be read", path);
	if (strcmp(before, after) != 0)
		return complain("%s: %s changed it from %s to %s", path, value, before, after);
	return done(parameter, answer, EINVAL) &&
	       (lines == 1 || complain("%s: %u lines in the log", parameter, lines));
}

bool scene_bad(const struct torture *torture)
{
	const size_t count = sizeof(bad) / sizeof(*bad);

	for (size_t i = 0; i < count; i++)
		if (!bad_load(torture, bad[i]))
			return false;
	if (!done("load", module_load(torture->module, "mode=trim components=pkru trim_get=1"), 0))
		return false;

	bool right = true;

	for (size_t i = 0; right && i < count; i++)
		right = bad_write(bad[i]);
	right &= done("unload", module_unload(torture->name), 0);
	report("bad parameters %zu", count);
	return right && !module_left(torture->name);
}

/* ---- The kernel's switches ---- */

/* Off: answers as without it; on again: as with it. A kernel without that switch has none to try.
 */
static bool muted_by(const struct torture *torture, const char *path, unsigned int *tried)
{
	int answer = file_put(path, "0");

	if (answer == ENOENT)
		return true;
	(*tried)++;
	/* ftrace may say that somebody depends on it, and stay on. */
	if (answer == EBUSY)
		return hooked(torture);
	if (!done(path, answer, 0) || !plain(torture) || !done(path, file_put(path, "1"), 0))
		return false;
	return hooked(torture);
}

bool scene_muted(const struct torture *torture)
{
	unsigned int tried = 0;

	if (!done("load", module_load(torture->module, "mode=trim trim_get=1"), 0))
		return false;

	bool right = hooked(torture) &&
		     muted_by(torture, "/sys/kernel/debug/kprobes/enabled", &tried) &&
		     muted_by(torture, "/proc/sys/kernel/ftrace_enabled", &tried) &&
		     /* Without the jump: each call meets a breakpoint. */
		     (file_put("/proc/sys/debug/kprobes-optimization", "0") || hooked(torture));

	right &= done("unload", module_unload(torture->name), 0);
	report("muted switches %u", tried);
	return right && plain(torture) && !module_left(torture->name) && tried;
}

/* ---- A kernel that is not as it knows ---- */

bool scene_refused(const struct torture *torture)
{
	struct kmsg kmsg = kmsg_here();
	int answer = module_load(torture->module, "mode=trim trim_get=1");
	unsigned int lines = kmsg_count(&kmsg, "xferry: not loaded: ");

	kmsg_close(&kmsg);
	report("refused errno %d lines %u", answer, lines);
	if (!answer)
		return complain("it was loaded");
	return !module_left(torture->name) &&
	       (lines == 1 || complain("%u lines in the log", lines)) && plain(torture);
}

/* Structures are laid out otherwise than in the headers: one line, and answers as without. */
bool scene_foreign(const struct torture *torture)
{
	struct kmsg kmsg = kmsg_here();

	if (!done("load", module_load(torture->module, "mode=trim trim_get=1"), 0))
		return false;

	bool right = ride_steadily(torture, 0, BELIEF_PLAIN, torture->states / GENERATE_RUN);
	unsigned int lines = kmsg_count(&kmsg, "hands off for good");

	kmsg_close(&kmsg);
	right &= done("unload", module_unload(torture->name), 0);
	report("foreign lines %u", lines);
	return right && (lines == 1 || complain("%u lines in the log", lines)) &&
	       !module_left(torture->name);
}

/* ---- Allocations that fail ---- */

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define STARVED_MAX 5000

static const char *const starving[] = {
	"/sys/kernel/debug/failslab/ignore-gfp-wait",
	"/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait",
};

/* Loads it with the nth allocation failing; `*hit` tells whether there was an nth. */
static int load_starved(const struct torture *torture, unsigned int nth, bool *hit)
{
	XF_AUTO_CLOSE int module = open(torture->module, O_RDONLY | O_CLOEXEC);
	XF_AUTO_CLOSE int fail = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	char number[16], left[16] = "";

	snprintf(number, sizeof(number), "%u", nth);
	if (module < 0 || fail < 0 || pwrite(fail, number, strlen(number), 0) < 0)
		return errno;

	int answer = syscall(SYS_finit_module, module, "mode=trim trim_get=1", 0) ? errno : 0;

	if (pread(fail, left, sizeof(left) - 1, 0) > 0)
		*hit = atoi(left) == 0;
	(void)pwrite(fail, "0", 1, 0);
	return answer;
}

bool scene_starved(const struct torture *torture)
{
	unsigned int nth = 1, failed = 0, survived = 0;
	bool hit = true;

	for (size_t i = 0; i < sizeof(starving) / sizeof(*starving); i++)
		if (file_put(starving[i], "N"))
			return complain("this kernel cannot make allocations fail");
	(void)file_put("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	(void)file_put("/sys/kernel/debug/failslab/verbose", "0");
	(void)file_put("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	for (; hit && nth < STARVED_MAX; nth++) {
		hit = false;

		int answer = load_starved(torture, nth, &hit);

		if (answer && !hit)
			return done("load with nothing failing", answer, 0);
		if (answer)
			failed++;
		else if (hit)
			survived++;
		if (!answer && !done("unload", module_unload(torture->name), 0))
			return false;
		if (module_left(torture->name))
			return complain("allocation %u failed, and something is left", nth);
	}
	report("starved allocations %u failed %u survived %u", nth - 1, failed, survived);
	return !hit && failed && plain(torture);
}

/* ---- Memory ---- */

#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define WARM 20
/* Loads may leave the allocator's own caches fuller; what leaks leaks each time. */
#define GROWTH_KB 512

static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long value = -1;

	while (file && value < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static long kernel_memory(void)
{
	sync();
	(void)file_put("/proc/sys/vm/drop_caches", "3");
	usleep(200000);
	return meminfo("Slab") + meminfo("VmallocUsed") + meminfo("Percpu");
}

static bool come_and_go(const struct torture *torture, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		if (!done("load", module_load(torture->module, "mode=trim trim_get=1"), 0) ||
		    !ride_steadily(torture, MASK_ALL, BELIEF_TRIMMED, 1) ||
		    !done("unload", module_unload(torture->name), 0))
			return false;
	return true;
}

/* The second scan tells what the first one found to be old enough. */
static bool nothing_leaked(unsigned int *leaks)
{
	char line[256];
	FILE *file;

	*leaks = 0;
	if (file_put(KMEMLEAK, "scan") == ENOENT)
		return true;
	sleep(6);
	(void)file_put(KMEMLEAK, "scan");
	file = fopen(KMEMLEAK, "re");
	while (file && fgets(line, sizeof(line), file)) {
		fputs(line, stderr);
		*leaks += strncmp(line, "unreferenced", 12) == 0;
	}
	if (file)
		fclose(file);
	return !*leaks;
}

bool scene_leaks(const struct torture *torture)
{
	unsigned int leaks;

	(void)file_put(KMEMLEAK, "clear");
	if (!come_and_go(torture, WARM))
		return false;

	long before = kernel_memory();

	if (!come_and_go(torture, torture->rounds))
		return false;

	long after = kernel_memory();
	bool right = nothing_leaked(&leaks);

	report("leaks loads %" PRIu64 " before_kb %ld after_kb %ld kmemleak %u", torture->rounds,
	       before, after, leaks);
	return right && after - before < GROWTH_KB;
}

/* ---- The log ---- */

bool scene_kmsg(const struct torture *torture)
{
	struct kmsg kmsg = kmsg_here();
	char line[1024];

	(void)torture;
	lseek(kmsg.fd, 0, SEEK_SET);
	while (kmsg_next(&kmsg, line, sizeof(line)))
		puts(line);
	kmsg_close(&kmsg);
	return true;
}

/* ---- Nothing but the switches ---- */

static bool put(const char *parameter, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), MODULE_PARAMETERS "%s", parameter);
	return done(path, file_put(path, value), 0);
}

/* Each setting at rest: here nothing else is going on, and one answer alone is right. */
bool scene_ride(const struct torture *torture)
{
	const uint64_t runs = torture->states / GENERATE_RUN;

	if (!plain(torture) || !done("load", module_load(torture->module, ""), 0))
		return false;

	bool right =
		ride_steadily(torture, 0, BELIEF_PLAIN, runs) && put("mode", "trim") &&
		ride_steadily(torture, MASK_ALL, BELIEF_PLAIN, runs) && put("components", "pkru") &&
		ride_steadily(torture, XF_PKRU, BELIEF_PLAIN, runs) && put("trim_get", "1") &&
		ride_steadily(torture, XF_PKRU, BELIEF_TRIMMED, runs) && put("components", "all") &&
		ride_steadily(torture, MASK_ALL, BELIEF_TRIMMED, runs) && put("mode", "observe") &&
		ride_steadily(torture, 0, BELIEF_PLAIN, runs);

	right &= done("unload", module_unload(torture->name), 0);
	report("ride states %" PRIu64, 6 * runs * GENERATE_RUN);
	return right && plain(torture) && !module_left(torture->name);
}
