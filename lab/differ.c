/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The differential proof: generated states go through this machine's KVM and
 * through the model of it in core/, and the two must agree on every answer and on
 * every byte that is read back.
 *
 *	xferry probe --json >here.json
 *	differ --profile here.json --states 100000 >result.json
 *
 * Exit status: 0 no difference, 1 differences, 8 could not run, 16 usage. It needs
 * /dev/kvm and the profile, and no other file: it may be the only program there is.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scope.h"
#include "host/host.h"
#include "lab/assume.h"
#include "lab/drive.h"

enum { SAME = 0, DIFFERS = 1, COULD_NOT = 8, USAGE = 16 };

#define ASSUME_MAX 16

static const char usage[] = "usage: differ --profile FILE [--states N] [--seed S] [--only INDEX] "
			    "[--assume KEY=VALUE]...\n";

struct options {
	const char *profile;
	uint64_t states, seed, only;
	bool has_only;
	char *assume[ASSUME_MAX];
	size_t assume_count;
	bool help;
};

static bool number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	if (*text < '0' || *text > '9')
		return false;
	*out = strtoull(text, &end, 0);
	return !errno && !*end;
}

static bool read_option(int option, struct options *out)
{
	switch (option) {
	case 'p':
		out->profile = optarg;
		return true;
	case 'n':
		return number(optarg, &out->states) && out->states > 0 &&
		       out->states <= UINT64_C(1) << 40;
	case 's':
		return number(optarg, &out->seed);
	case 'o':
		out->has_only = true;
		return number(optarg, &out->only);
	case 'a':
		if (out->assume_count == ASSUME_MAX)
			return false;
		out->assume[out->assume_count++] = optarg;
		return true;
	case 'h':
		out->help = true;
		return true;
	default:
		return false;
	}
}

static void complain(int option, const char *word)
{
	if (option == 'n')
		fprintf(stderr, "differ: --states %s: expected a number from 1\n", optarg);
	else if (option == 's')
		fprintf(stderr, "differ: --seed %s: expected a number\n", optarg);
	else if (option == 'o')
		fprintf(stderr, "differ: --only %s: expected a state's index\n", optarg);
	else if (option == 'a')
		fprintf(stderr, "differ: --assume %s: expected %d at most\n", optarg, ASSUME_MAX);
	else
		fprintf(stderr, "differ: %s: not understood\n", word);
}

static bool read_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "states", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "assume", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (read_option(option, out))
			continue;
		complain(option, argv[optind - 1]);
		return false;
	}
	const char *wrong = NULL;

	if (out->help)
		return true;
	if (optind < argc)
		wrong = "expected options only";
	else if (!out->profile)
		wrong = "--profile FILE is needed";
	else if (out->has_only && out->only >= out->states)
		wrong = "--only INDEX: expected one below --states";
	if (wrong)
		fprintf(stderr, "differ: %s\n", wrong);
	return !wrong;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* All states, or the run that has the one asked for: what is before it on the vCPU counts. */
static struct xf_error *run_all(struct drive *drive, const struct options *options,
				struct tally *tally)
{
	uint64_t first = options->has_only ? options->only / GENERATE_RUN : 0;
	uint64_t last = options->has_only ? first : (options->states - 1) / GENERATE_RUN;

	for (uint64_t run = first; run <= last; run++) {
		uint64_t left = options->states - run * GENERATE_RUN;

		XF_TRY(drive_run(drive, run,
				 left < GENERATE_RUN ? (unsigned int)left : GENERATE_RUN, tally));
	}
	return NULL;
}

/* Large, and only one is needed. */
static struct drive drive;
static struct tally tally;

static struct xf_error *open_host(const struct options *options, struct xf_host **out)
{
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;
	struct xf_host *assumed = NULL;

	XF_TRY(xf_host_open(options->profile, &host));
	if (options->assume_count) {
		XF_TRY(assume(host, options->assume, options->assume_count, &assumed));
		xf_host_free(host);
		host = assumed;
	}
	/* What each guest was shown is read back here: the model need not guess it. */
	host->kvm.shows_all = false;
	*out = xf_take(host);
	return NULL;
}

static struct xf_error *differ(const struct options *options, const struct xf_host *host)
{
	double begin = now();

	XF_TRY(drive_open(host, options->seed, options->states, &drive));
	XF_TRY(run_all(&drive, options, &tally));

	const struct tally_about about = {
		.profile = options->profile,
		.seed = options->seed,
		.seconds = now() - begin,
	};

	if (!tally_print(&tally, &about, stdout))
		return xf_error_errno("standard output", "write");
	return NULL;
}

static int fail(struct xf_error *err, int status)
{
	fprintf(stderr, "differ: %s\n", err->text);
	xf_error_free(err);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = { .states = 10000, .seed = 1 };
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;

	if (!read_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return USAGE;
	}
	if (options.help) {
		fputs(usage, stdout);
		return SAME;
	}

	struct xf_error *err = open_host(&options, &host);

	if (err)
		return fail(err, err->code == XF_ERR_USAGE ? USAGE : COULD_NOT);
	drive_clear(&drive);
	err = differ(&options, host);
	drive_close(&drive);
	if (err)
		return fail(err, COULD_NOT);
	return tally.differences ? DIFFERS : SAME;
}
