# SPDX-License-Identifier: LGPL-2.1-or-later
# What a case's expected holds, unless it has a filter of its own.
{
	outcome,
	target: .target.supported,
	vcpus: [.vcpus[] | {index, xstate_bv, xcr0, exposed, superfluous, undecided, lost, missing, findings}],
	edits: [.edits[] | {length, old, new}]
}
