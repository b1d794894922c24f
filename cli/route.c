/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "cli/confine.h"

static void trip_deinit(struct trip *trip)
{
	xf_journey_free(trip->journey);
	xf_state_close(trip->state);
	for (size_t i = 0; i < trip->host_count; i++)
		xf_host_free(trip->hosts[i]);
	request_deinit(&trip->request);
}

static struct xf_error *open_hosts(char **specs, size_t count, struct trip *trip)
{
	for (size_t i = 0; i < count; i++) {
		struct xf_error *err = xf_host_open(specs[i], &trip->hosts[i]);

		if (err)
			return err;
		trip->host_count++;
	}
	return NULL;
}

/* Whether the word can be a file: what begins with 0x cannot; such a file is ./0x207. */
static bool may_be_file(const char *word)
{
	return strncasecmp(word, "0x", 2) != 0 &&
	       (strcmp(word, "-") == 0 || strpbrk(word, "./") || access(word, F_OK) == 0);
}

/* What reads as a mask is one. What reads as none is a file, or a mask with a slip in it. */
static unsigned int read_start(const struct verb *verb, struct trip *trip)
{
	const char *word = trip->options->arguments[0];
	struct xf_error *err = xf_mask_from_text(word, &trip->in_use);
	unsigned int status = STATUS_OK;

	trip->from_mask = !err;
	if (err && !may_be_file(word))
		status = usage(verb, "'%s' is no file, and as a mask: %s", word, err->text);
	xf_error_free(err);
	return status;
}

static unsigned int status_of(const struct xf_journey *journey)
{
	return journey->sound ? STATUS_OK : STATUS_FINDINGS;
}

static unsigned int predict(struct trip *trip, struct xf_error **err)
{
	*err = xf_route(trip->state, trip->in_use, trip->request.guest,
			(const struct xf_host *const *)trip->hosts, trip->host_count,
			&trip->journey);
	if (*err)
		return STATUS_ERROR;
	(trip->options->json ? print_json_route : print_text_route)(trip);
	return status_of(trip->journey);
}

/* The state is read last: what is wrong with the command is said at once. */
static unsigned int run_trip(struct trip *trip)
{
	const char *path = trip->options->arguments[0];
	struct xf_error *err = NULL;
	unsigned int status;

	if (!trip->from_mask)
		err = open_state(&(struct spot){ .path = path }, &trip->request, &trip->state);
	status = err ? STATUS_ERROR : predict(trip, &err);
	return err ? not_judged(path, trip->options->json, err) : status;
}

static unsigned int check_arguments(const struct verb *verb, const struct options *options)
{
	if (options->count && strncmp(options->arguments[0], "preset:", 7) == 0)
		return usage(verb, "name the saved state, or the mask of what is in use, before "
				   "the hosts");
	if (options->count < 3)
		return usage(verb, "name a saved state or a mask, then at least two hosts: where "
				   "it runs, and where it goes");
	if (options->count > HOSTS_MAX + 1)
		return usage(verb, "a journey of more than %d hosts is not predicted", HOSTS_MAX);
	return STATUS_OK;
}

static unsigned int run_route(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	struct trip trip = { .options = &options };
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	status = check_arguments(verb, &options);
	if (status)
		return status;

	confine_to_reading(&options, options.arguments + 1, options.count - 1);
	status = read_start(verb, &trip);
	if (status)
		return status;

	struct xf_error *err = load_request(&options, &trip.request);

	if (!err)
		err = open_hosts(options.arguments + 1, (size_t)options.count - 1, &trip);
	status = err ? complain(err) : run_trip(&trip);
	trip_deinit(&trip);
	return status;
}

const struct verb verb_route = {
	.name = "route",
	.arguments = "STATE | MASK [GUEST] HOST HOST… [--json]",
	.summary =
		"Predict a journey over several hosts, hop by hop; the first has saved the STATE.",
	.options = "cxqdeflj",
	.run = run_route,
};
