/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Torture of the kernel module, from inside a machine of the lab:
 *
 *	torture SCENE --profile /lab/out/probe --module /lab/xferry.ko [--rounds N]
 *
 * The profile is what xferry probe said without the module. A scene prints one line,
 * `name value` pairs behind its own name, and what was wrong on standard error.
 * Exit status: 0 all was right, 1 something was not, 8 could not run, 16 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scope.h"
#include "tests/kmod/torture/torture.h"

enum { RIGHT = 0, WRONG = 1, COULD_NOT = 8, USAGE = 16 };

static const struct {
	const char *name;
	bool (*play)(const struct torture *torture);
} scenes[] = {
	{ "churn", scene_churn },     { "ride", scene_ride },	    { "hostile", scene_hostile },
	{ "twice", scene_twice },     { "bad", scene_bad },	    { "muted", scene_muted },
	{ "refused", scene_refused }, { "foreign", scene_foreign }, { "starved", scene_starved },
	{ "leaks", scene_leaks },     { "kmsg", scene_kmsg },
};

void report(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

uint32_t any_of(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*seed >> 33) % below);
}

static bool number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static const struct option known[] = {
	{ "profile", required_argument, NULL, 'p' },
	{ "module", required_argument, NULL, 'm' },
	{ "twin", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "states", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 's' },
	{ "threads", required_argument, NULL, 'c' },
	{ "flips", no_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static bool read_option(int option, struct torture *out, const char **profile)
{
	uint64_t threads;

	switch (option) {
	case 'p':
		*profile = optarg;
		return true;
	case 'm':
		out->module = optarg;
		return true;
	case 't':
		out->twin = optarg;
		return true;
	case 'r':
		return number(optarg, &out->rounds);
	case 'n':
		return number(optarg, &out->states);
	case 's':
		return number(optarg, &out->seed);
	case 'c':
		if (!number(optarg, &threads) || threads < 1 || threads > 256)
			return false;
		out->threads = (unsigned int)threads;
		return true;
	case 'f':
		out->flips = true;
		return true;
	default:
		return false;
	}
}

/* A profile is needed for what is held against the model. */
static bool open_host(const char *profile, struct xf_host **out)
{
	struct xf_error *err = xf_host_open(profile, out);

	if (err) {
		complain("%s", err->text);
		xf_error_free(err);
		return false;
	}
	(*out)->kvm.shows_all = false; /* what a guest is shown is read back */
	return true;
}

int main(int argc, char **argv)
{
	struct torture torture = {
		.name = "xferry", .rounds = 10, .states = 10000, .seed = 1, .threads = 4
	};
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;
	const char *profile = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!read_option(option, &torture, &profile))
			return USAGE;
	if (optind != argc - 1) {
		complain("expected one scene");
		return USAGE;
	}
	if (profile && !open_host(profile, &host))
		return COULD_NOT;
	torture.host = host;
	module_mounts();
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++)
		if (strcmp(scenes[i].name, argv[optind]) == 0)
			return scenes[i].play(&torture) ? RIGHT : WRONG;
	complain("there is no scene \"%s\"", argv[optind]);
	return USAGE;
}
