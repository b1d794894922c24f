/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report in one line, for people with many states and for grep. */
#include <stdlib.h>

#include "cli/tree.h"

/* Whether any vCPU has a finding of the kind, and the components of all that have. */
static bool components_of(const struct xf_report *report, const struct xf_problem *problem,
			  uint64_t *components)
{
	bool found = false;

	*components = 0;
	for (size_t i = 0; i < report->finding_count; i++) {
		if (report->findings[i].problem != problem)
			continue;
		found = true;
		*components |= report->findings[i].components;
	}
	return found;
}

static void put_finding(const struct xf_problem *problem, uint64_t components, FILE *to)
{
	char *names = components ? xf_mask_to_text(components) : NULL;

	fputs(problem->code, to);
	if (names)
		fprintf(to, " %s", names);
	free(names);
}

static void put_findings(const struct xf_report *report, FILE *to)
{
	const struct xf_problem *problem;
	const char *separator = "";
	uint64_t components;

	if (!report->finding_count)
		fputs("clean", to);
	for (size_t i = 0; (problem = xf_problem(i)); i++) {
		if (!components_of(report, problem, &components))
			continue;
		fputs(separator, to);
		put_finding(problem, components, to);
		separator = ", ";
	}
}

void put_state_line(const struct xf_state *state, const struct request *request,
		    const struct xf_report *report, FILE *to)
{
	size_t count = xf_state_vcpu_count(state);

	put_printable(xf_state_path(state), to);
	fprintf(to, ": %s, %zu vCPU%s: ", xf_state_format(state), count, count == 1 ? "" : "s");
	put_findings(report, to);
	if (request->target)
		fprintf(to, "; %s", xf_outcome_name(report->outcome));
	if (request->target && report->outcome_fixed != report->outcome)
		fprintf(to, ", %s once repaired", xf_outcome_name(report->outcome_fixed));
	putc('\n', to);
}
