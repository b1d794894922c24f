/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct verb *const verbs[] = {
	&verb_check, &verb_fix, &verb_undo, &verb_filter, &verb_probe, &verb_route, &verb_explain,
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_overview(FILE *to)
{
	fputs("usage: xferry VERB [OPTION…] [ARGUMENT…]\n"
	      "Finds and repairs CPU state that leaked into saved virtual machines.\n\n",
	      to);
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n'xferry VERB --help' tells a verb's options; see also xferry(1).\n", to);
}

static unsigned int run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_overview(stdout);
		return STATUS_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("xferry %s\n", xf_version());
		return STATUS_OK;
	}
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(name, verbs[i]->name) == 0)
			return verbs[i]->run(verbs[i], argc - 1, argv + 1);
	if (!*name) {
		print_overview(stderr);
		return STATUS_USAGE;
	}
	fputs("xferry: there is no verb '", stderr);
	put_printable(name, stderr);
	fputs("'; see 'xferry --help'\n", stderr);
	return STATUS_USAGE;
}

/*
 * Whoever starts us with a standard file closed would have the next one opened,
 * a saved state, take its number, and our messages for it. Writing to one that
 * is open for reading fails, as writing to a closed one does; and so of reading.
 */
static bool occupy_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			return false;
	return true;
}

/*
 * What whoever starts us ignores or not, we do not inherit where it would be in the way: with
 * SIGCHLD ignored nobody could tell how a program that packs has ended, and a limit on the size
 * of files is to be an error that is told of, not our end.
 */
static void set_signals(void)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
}

/* It reads and writes whatever file it is told to: with rights of its file, anybody could. */
static bool has_rights_of_its_file(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

int main(int argc, char **argv)
{
	if (!occupy_standard_files()) {
		fprintf(stderr, "xferry: /dev/null, for a standard file that is closed: %s\n",
			strerror(errno));
		return STATUS_ERROR;
	}
	if (has_rights_of_its_file()) {
		fputs("xferry: is set-user-ID or set-group-ID, and refuses to run so\n", stderr);
		return STATUS_ERROR;
	}
	set_signals();
	setlocale(LC_CTYPE, "");

	unsigned int status = run(argc, argv);

	/* A report that did not reach its reader is no report. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "xferry: standard output: %s\n", strerror(errno));
		status |= STATUS_ERROR;
	}
	return (int)status;
}
