/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Judges a saved state with libxferry: what leaked into it, what a target answers
 * to it, and whether a repair would change that. Nothing is written.
 *
 *	cc judge.c $(pkg-config --cflags --libs libxferry) -o judge
 *	./judge vm.qevm qemu64,+avx preset:linux-6.2,-pku
 */
#include <stdio.h>
#include <stdlib.h>
#include <xferry.h>

/* Everything that has to be freed in the end; each may be NULL. */
struct judge {
	struct xf_evidence *guest;
	struct xf_host *target;
	struct xf_state *state;
	struct xf_report *report;
};

static struct xf_error *judge(const char *path, const char *cpu, const char *to, struct judge *j)
{
	struct xf_error *err = xf_evidence_from_cpu(cpu, NULL, &j->guest);

	if (!err)
		err = xf_host_open(to, &j->target);
	if (!err)
		err = xf_state_open(path, NULL, &j->state);
	if (!err)
		err = xf_check(j->state, j->guest, j->target, XF_ALL, &j->report);
	return err;
}

static void print_finding(const struct judge *j, const struct xf_finding *finding)
{
	char *components = xf_mask_to_text(finding->components);

	printf("vCPU %u: %s %s: %s\n", (unsigned int)xf_state_vcpu(j->state, finding->vcpu)->index,
	       finding->problem->code, finding->problem->title, components ? components : "?");
	free(components);
}

static void print_report(const struct judge *j)
{
	const char *machine = xf_state_machine(j->state);
	size_t vcpus = xf_state_vcpu_count(j->state);

	printf("%s: %s stream, machine %s, %zu vCPU%s\n", xf_state_path(j->state),
	       xf_state_format(j->state), machine ? machine : "unknown", vcpus,
	       vcpus == 1 ? "" : "s");
	for (size_t i = 0; i < j->report->finding_count; i++)
		print_finding(j, &j->report->findings[i]);
	printf("%s answers: %s; repaired: %s\n", j->target->name,
	       xf_outcome_name(j->report->outcome), xf_outcome_name(j->report->outcome_fixed));
}

int main(int argc, char **argv)
{
	struct judge j = { NULL, NULL, NULL, NULL };
	int status = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: judge STATE CPU TARGET\n");
		return 16;
	}

	struct xf_error *err = judge(argv[1], argv[2], argv[3], &j);

	if (err) {
		fprintf(stderr, "judge: %s\n", err->text);
		xf_error_free(err);
		status = 8;
	} else {
		print_report(&j);
		if (j.report->finding_count)
			status = 4;
	}
	xf_report_free(j.report);
	xf_state_close(j.state);
	xf_host_free(j.target);
	xf_evidence_free(j.guest);
	return status;
}
