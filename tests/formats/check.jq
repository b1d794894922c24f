# SPDX-License-Identifier: LGPL-2.1-or-later
# What a case's expected holds.
{
	format,
	machine,
	found_by,
	# Without the place of a file that belongs to the case.
	evidence: (.evidence | if . then sub("^/([^/:]*/)*"; "@/") else . end),
	vcpus: [.vcpus[] | {index, xstate_bv, xcr0, exposed, known, superfluous, undecided, lost,
		missing, findings}],
	outcome,
	outcome_fixed,
	edits: (.edits | length)
}
