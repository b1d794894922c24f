# SPDX-License-Identifier: LGPL-2.1-or-later
# What a case's expected.json holds: an object a hop and way, vCPUs in one line each.
def way: if . then {
	repaired, outcome, outcome_fixed,
	vcpus: [.vcpus[] | "\(.index): saved \(.saved) to \(.saved_most), sent \(.sent) to \(.sent_most), "
		+ "\(.outcome) \(.reason // "-") \(.blocked), arrives \(.arrives) to \(.arrives_most), "
		+ "superfluous \(.superfluous), undecided \(.undecided), lost \(.lost), "
		+ "missing \(.missing), unsaved \(.unsaved), loses \(.loses), wiped \(.wiped), "
		+ "findings \(.findings | join(" "))"]
} else null end;
{
	in_use, exposed, known, contradicted, unexpected, outcome, outcome_repaired, sound,
	hosts: [.hosts[] | "\(.supported) \(.get // "-") \(.set // "-")"],
	hops: [.hops[] | {refusal, as_saved: .as_saved | way, repaired: .repaired | way}]
}
