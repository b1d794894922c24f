/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/confine.h"

/* Everything that one passage works with. */
struct passage {
	const struct options *options;
	struct request request;
	uint64_t max_tail;
	int json_fd; /* of --json-fd */
	int out;     /* where the stream goes */
	FILE *json;  /* or NULL */
	struct xf_flow flow;
	struct xf_filtered *filtered;
};

/* strtoul takes blanks and signs, too. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "64M". False: that is no size. */
static bool read_size(const char *text, uint64_t *out)
{
	static const char suffixes[] = "KMG";
	char *end;

	errno = 0;

	unsigned long long number = strtoull(text, &end, 10);
	const char *suffix = *end ? strchr(suffixes, *end) : NULL;
	unsigned int shift = suffix ? 10 * (unsigned int)(suffix - suffixes + 1) : 0;

	if (!is_digit(*text) || errno || number == 0 || end[suffix != NULL] ||
	    number > UINT64_MAX >> shift)
		return false;
	*out = (uint64_t)number << shift;
	return true;
}

/* ---- Options ---- */

/* "5". False: no file descriptor has such a number. */
static bool read_fd(const char *text, int *out)
{
	char *end;
	long long fd = strtoll(text, &end, 10);

	if (!is_digit(*text) || *end || fd > INT32_MAX)
		return false;
	*out = (int)fd;
	return true;
}

static unsigned int check_json(const struct verb *verb, const struct options *options, int *fd)
{
	if (options->json_file && options->json_fd)
		return usage(verb, "either --json or --json-fd");
	if (options->json_file && strcmp(options->json_file, "-") == 0)
		return usage(verb, "standard output is the stream's: name a file for --json");
	if (!options->json_fd)
		return STATUS_OK;
	if (!read_fd(options->json_fd, fd))
		return usage(verb, "--json-fd is a file descriptor's number: '%s' is not",
			     options->json_fd);
	if (*fd == STDIN_FILENO || *fd == STDOUT_FILENO)
		return usage(verb, "--json-fd %d: is the stream's; take 2 or higher", *fd);
	return STATUS_OK;
}

static unsigned int check_arguments(const struct verb *verb, const struct options *options,
				    uint64_t *max_tail)
{
	if (options->count)
		return usage(verb, "it takes no file: the stream comes from standard input");
	if (options->max_tail && !read_size(options->max_tail, max_tail))
		return usage(verb, "--max-tail is a number of bytes, or as 64M: '%s' is not",
			     options->max_tail);
	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
		return usage(verb,
			     "a stream comes from standard input and goes to standard output: "
			     "neither can be a terminal");
	return STATUS_OK;
}

static FILE *open_json_fd(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *file = own < 0 ? NULL : fdopen(own, "a");

	if (own >= 0 && !file)
		close(own);
	return file;
}

/* Opened before the first byte passes: a report that cannot be made is told of in time. */
static unsigned int open_json(struct passage *passage)
{
	const struct options *options = passage->options;

	if (!options->json_file && !options->json_fd)
		return STATUS_OK;
	passage->json = options->json_file ? fopen(options->json_file, "ae")
					   : open_json_fd(passage->json_fd);
	if (passage->json) {
		setvbuf(passage->json, NULL, _IONBF, 0); /* see put_whole_line */
		return STATUS_OK;
	}

	int error = errno;

	fputs("xferry: ", stderr);
	put_printable(options->json_file ? options->json_file : "--json-fd ", stderr);
	if (options->json_fd)
		put_printable(options->json_fd, stderr);
	fprintf(stderr, ": %s\n", strerror(error));
	return STATUS_ERROR;
}

/*
 * The stream keeps standard output's file; what is printed for people goes to
 * standard error from here on.
 */
static unsigned int take_output(struct passage *passage)
{
	passage->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (passage->out >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
		setvbuf(stdout, NULL, _IONBF, 0); /* as stderr is */
		return STATUS_OK;
	}
	fprintf(stderr, "xferry: standard output: %s\n", strerror(errno));
	return STATUS_ERROR;
}

/* ---- The report ---- */

static const struct xf_error *error_of(const struct passage *passage, const struct xf_error *err)
{
	return passage->filtered ? passage->filtered->why : err;
}

/* By one write: the lines of filters that share a file must not mix. */
static bool put_whole_line(struct json_object *object, FILE *to)
{
	char *line = NULL;
	size_t size;
	FILE *memory = open_memstream(&line, &size);

	if (!memory) {
		json_object_put(object);
		return false;
	}
	put_json_line(object, memory);

	bool put = fclose(memory) == 0 && fwrite(line, 1, size, to) == size;

	free(line);
	return put;
}

static unsigned int write_json(const struct passage *passage, const struct xf_error *err)
{
	const struct xf_filtered *filtered = passage->filtered;
	const struct xf_error *why = error_of(passage, err);
	struct json_object *flow = json_object_new_object();
	struct json_object *object =
		why ? json_error("standard input", why)
		    : json_report(filtered->state, &passage->request, filtered->report);

	json_object_object_add(
		flow, "passage",
		json_object_new_string(filtered ? xf_passage_name(filtered->passage) : "failed"));
	json_object_object_add(flow, "in", json_object_new_uint64(passage->flow.in));
	json_object_object_add(flow, "out", json_object_new_uint64(passage->flow.out));
	json_object_object_add(object, "filter", flow);
	if (put_whole_line(object, passage->json))
		return STATUS_OK;
	fprintf(stderr, "xferry: the JSON report: %s\n", strerror(errno));
	return STATUS_ERROR;
}

static void tell_flow(const struct passage *passage)
{
	printf("%" PRIu64 " bytes came in, %" PRIu64 " went out.\n", passage->flow.in,
	       passage->flow.out);
}

static unsigned int tell_understood(const struct passage *passage)
{
	const struct xf_filtered *filtered = passage->filtered;
	const struct xf_report *report = filtered->report;
	bool repaired = filtered->passage == XF_PASSED_EDITED;
	unsigned int status = repaired ? STATUS_REPAIRED : STATUS_OK;

	if (repaired ? report->left_count : report->finding_count)
		status |= STATUS_FINDINGS;
	(status == STATUS_REPAIRED ? print_text_repair
				   : print_text_report)(filtered->state, &passage->request, report);
	if (filtered->passage == XF_STOPPED) {
		fputs("Stopped before the devices: the target would refuse them", stdout);
		puts(report->edit_count ? ", even repaired." : ", and nothing may be dropped.");
		status = STATUS_FINDINGS;
	} else if (repaired) {
		puts(report->left_count ? "Passed, repaired; findings are left."
					: "Passed, repaired.");
	} else if (report->finding_count) {
		puts("Passed unedited: nothing may be dropped.");
	}
	return status;
}

/* With nothing of the devices passed, whatever was sent is no guest yet. */
static void tell_where_guest_is(void)
{
	fputs("In a migration the guest is still at the source: 'cont' there, once the target "
	      "has ended.\n",
	      stderr);
}

/* What had passed before the error looks like a stream's start, and may be kept by somebody. */
static unsigned int tell_error(const struct passage *passage, struct xf_error *err)
{
	bool of_stream = err->code == XF_ERR_FORMAT || err->code == XF_ERR_DAMAGED;
	unsigned int status = complain(err);

	if (!passage->flow.out)
		return status;
	fprintf(stderr,
		"Stopped: %" PRIu64 " bytes came in, %" PRIu64
		" went out; that is no whole stream.\n",
		passage->flow.in, passage->flow.out);
	if (of_stream)
		tell_where_guest_is();
	return status;
}

static unsigned int tell(const struct passage *passage)
{
	const struct xf_filtered *filtered = passage->filtered;
	unsigned int status = STATUS_FINDINGS;

	if (filtered->passage == XF_PASSED_UNKNOWN) {
		fflush(stdout);
		fprintf(stderr, "xferry: NOT UNDERSTOOD, PASSED UNEDITED: %s\n",
			filtered->why->text);
	} else {
		status = tell_understood(passage);
	}
	tell_flow(passage);
	if (passage->filtered->passage == XF_STOPPED)
		tell_where_guest_is();
	/* The stream has passed; that nobody could be told on stderr does not change that. */
	clearerr(stdout);
	return status;
}

/* ---- The verb ---- */

static struct xf_error *filter(struct passage *passage)
{
	struct progress progress = progress_start("passing");
	struct xf_filter_options options = {
		.guest = passage->request.guest,
		.target = passage->request.target,
		.only = passage->request.only,
		.max_tail = passage->max_tail,
		.pass_unknown = passage->options->pass_unknown,
		.progress = progress.call.step ? &progress.call : NULL,
		.flow = &passage->flow,
	};

	progress.call.data = &progress;

	struct xf_error *err = xf_filter(STDIN_FILENO, passage->out, &options, &passage->filtered);

	progress_end(&progress);
	return err;
}

/* The reader's end must come before we take our time to report. */
static unsigned int close_output(struct passage *passage)
{
	int fd = passage->out;

	passage->out = -1;
	if (close(fd) == 0)
		return STATUS_OK;
	fprintf(stderr, "xferry: standard output: close: %s\n", strerror(errno));
	return STATUS_ERROR;
}

static unsigned int run_passage(struct passage *passage)
{
	struct xf_error *err = load_request(passage->options, &passage->request);

	if (err)
		return complain(err);
	passage->request.in_flight = true;

	unsigned int status = open_json(passage);

	if (!status)
		status = take_output(passage);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	confine_to_open_files();
	err = filter(passage);
	status = close_output(passage);
	if (passage->json)
		status |= write_json(passage, err);
	return status | (err ? tell_error(passage, err) : tell(passage));
}

static unsigned int run_filter(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	struct passage passage = { .options = &options, .out = -1 };
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	status = check_arguments(verb, &options, &passage.max_tail);
	if (!status)
		status = check_json(verb, &options, &passage.json_fd);
	if (status)
		return status;
	status = run_passage(&passage);
	if (passage.out >= 0)
		close(passage.out);
	if (passage.json)
		fclose(passage.json);
	xf_filtered_free(passage.filtered);
	request_deinit(&passage.request);
	return status;
}

const struct verb verb_filter = {
	.name = "filter",
	.arguments = "[GUEST] [TARGET] [--only COMPONENTS] [--max-tail SIZE] [--pass-unknown] "
		     "[--json FILE | --json-fd N] <STREAM >STREAM",
	.summary = "Pass a migration stream on, without what leaked into it.",
	.options = "cxqdeftOmpJF",
	.run = run_filter,
};
