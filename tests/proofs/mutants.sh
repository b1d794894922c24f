#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A proof that cannot fail proves nothing: breaks the rule in one place at a time
# and wants the named proof to notice. Every proof must notice something.
# Usage: mutants.sh SOURCE-ROOT COMPILER...
set -eu

root=$(cd "$1" && pwd)
shift
cc=("$@" -std=gnu11 -O1 -w -I"$root" -I"$root/tests/proofs")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# file % what is there (sed) % what it becomes % the proof that notices
mutants='
rule.c%xf_widen((guest.shown \& guest.known) . XF_FPSSE)%(guest.shown \& guest.known) | XF_FPSSE%never-drops-shown
rule.c%(guest.shown \& guest.known) . XF_FPSSE%guest.shown \& guest.known%never-drops-shown
rule.c%return state \& guest.known \&%return state \&%unknown-changes-nothing
rule.c%(guest.shown \& guest.known)%(guest.shown)%unknown-changes-nothing
rule.c%return superfluous_in(state, guest) \& only%return superfluous_in(state, guest) \& only \& ~XF_PKRU%repaired-is-within-guest
rule.c%return superfluous_in(state, guest) \& only%state = superfluous_in(state, guest) \& only; return state \& -state%repair-is-idempotent
rule.c%.superfluous = superfluous_in(state, guest)%.superfluous = state \& ~guest.shown%only-superfluous-changes
rule.c%.superfluous = super%.superfluous = host \& super%only-superfluous-changes
rule.c%.lost = state \& guest.shown%.lost = state%lost-is-never-dropped
rule.c%cleared .= XF_PKRU%cleared |= XF_PKRU | XF_APX%hook-drops-only-pkru
rule.c%hook_pkru \&\& !(guest_supported(kvm, vcpu) \& XF_PKRU)%hook_pkru \&\& !(vcpu->cpuid \& XF_PKRU)%hook-drops-only-pkru
rule.c%!vcpu->cpuid_set .. kvm->no_xsave)%kvm->no_xsave)%first-reason-wins
rule.c%vcpu->cpuid_set \&\& kvm->set == XF_SET_GUEST)%vcpu->cpuid_set \&\& kvm->set != XF_SET_GUEST_BARE)%first-reason-wins
rule.c%kvm->host \& ~XF_XTILEDATA%kvm->host%first-reason-wins
area.c%return XF_REASON_USER%return XF_REASON_HOST%first-reason-wins
area.c%!limits->header_unchecked \&\& head->reserved%head->reserved%first-reason-wins
area.c%XF_FPSSE . XF_AVX%XF_FPSSE%first-reason-wins
rule.c%return xstate_bv \& ~limits->user%return xstate_bv%refused-iff-blocked
rule.c%harsh.set = XF_SET_GUEST_BARE%harsh.set = XF_SET_GUEST%prediction-is-sound
rule.c%kind.hook_pkru = true%%prediction-is-sound
rule.c%harsh.hook_pkru = false%%prediction-is-sound
rule.c%kind_kvm.hook_pkru, \&harsh%harsh_kvm.hook_pkru, \&harsh%prediction-is-sound
rule.c%harsh_kvm.hook_pkru, \&kind%kind_kvm.hook_pkru, \&kind%prediction-is-sound
rule.c%kind.shows_all = true%%prediction-is-sound
rule.c%harsh.shows_all = false%%prediction-is-sound
rule.c%kind.mxcsr_mask = UINT32_MAX%%prediction-is-sound
rule.c%harsh.mxcsr_mask = XF_MXCSR_MASK%%prediction-is-sound
rule.c%kind.mxcsr_always = false%%prediction-is-sound
rule.c%harsh.mxcsr_always = true%%prediction-is-sound
rule.c%least.shows_all = false%%saved-is-within-bounds
rule.c%most.shows_all = true%%saved-is-within-bounds
rule.c%kvm->get == XF_GET_LEAKS .. kvm->shows_all%kvm->get == XF_GET_LEAKS%saved-is-within-bounds
rule.c%guest.shown . ~guest.known%guest.shown%prediction-is-sound
rule.c%fresh_vcpu(guest.shown \& ~XF_FPSSE ? guest.shown : 0)%fresh_vcpu(guest.shown)%prediction-is-sound
rule.c%XF_COPY(\&harsh, kvm)%XF_COPY(\&harsh, kvm); harsh.set = XF_SET_GUEST_BARE%prediction-is-sharp
rule.c%xstate_bv \& ~cleared_first(harsh, vcpu, hook_pkru)%xstate_bv%prediction-is-sound
rule.c%in_use.least .= XF_PKRU%in_use.least |= XF_PKRU | XF_AVX%saved-is-within-bounds
rule.c%in_use.most .= may_leak(kvm)%in_use.most |= XF_PKRU%saved-is-within-bounds
rule.c%least.get = XF_GET_TRIMS_BARE%least.get = XF_GET_TRIMS%saved-is-within-bounds
rule.c%most.get = XF_GET_LEAKS%most.get = XF_GET_TRIMS%saved-is-within-bounds
rule.c%in_use.least \&= ~XF_XTILEDATA%%saved-is-within-bounds
rule.c%given(\&most, \&kind, in_use.most%given(\&most, \&harsh, in_use.most%saved-is-within-bounds
rule.c%if (!vcpu->cpuid_set)%if (false)%module-drops-only-superfluous
rule.c%trim \&= head->xstate_bv \& ~cleared%trim \&= head->xstate_bv%module-drops-only-superfluous
rule.c%evidence_kept(kvm, vcpu->evidence), told)%(struct xf_guest){ vcpu->cpuid, ~UINT64_C(0) }, told)%module-drops-only-superfluous
rule.c%evidence_kept(kvm, vcpu->evidence), told)%evidence_kept(kvm, vcpu->evidence), ~UINT64_C(0))%module-drops-only-superfluous
rule.c%seen.xstate_bv \&= ~(cleared . trim)%seen.xstate_bv \&= ~cleared%module-drops-only-superfluous
rule.c%kvm->shows_all \&\& evidence.known%false%module-set-is-predicted
rule.c%surely = { guest.shown, guest.known \& ~XF_SUPERVISOR }%surely = { guest.shown, guest.known }%module-set-is-predicted
rule.c%surely = { guest.shown, guest.known \& ~XF_SUPERVISOR }%surely = { guest.shown, ~UINT64_C(0) }%module-set-is-predicted
rule.c%perhaps = { guest.shown, ~UINT64_C(0) }%perhaps = { guest.shown, guest.known }%module-set-is-predicted
rule.c%harsh.hook_set = 0%%module-set-is-predicted
rule.c%kind.hook_set = ~UINT64_C(0)%%module-set-is-predicted
rule.c%left = head->xstate_bv \& ~trim.most%left = head->xstate_bv%module-set-is-predicted
rule.c%head->xstate_bv \& ~trim.least) }%head->xstate_bv \& ~trim.most) }%module-set-is-predicted
rule.c%return kvm->shows_all ? trimmed%return true ? trimmed%module-set-is-predicted
rule.c%\& ~trims(kvm, vcpu, kvm->hook_get)%%module-get-is-predicted
rule.c%in_use.least \& kvm->host) \& ~trim.most%in_use.least \& kvm->host)%module-get-is-predicted
rule.c%in_use.most \& kvm->host) \& ~trim.least%in_use.most \& kvm->host) \& ~trim.most%module-get-is-predicted
rule.c%told_unknown ? 0 :%%module-get-is-predicted
rule.c%told_unknown ? ~UINT64_C(0) :%%module-get-is-predicted
rule.c%return kvm->shows_all .. kvm->host%return kvm->host%module-get-is-predicted
rule.c%if (gives_more(\&most))%if (most.get == XF_GET_LEAKS)%saved-is-within-bounds
area.c%if (head->xstate_bv \& ~limits->host)%if (~head->xstate_bv \& XF_X87)%more-is-refused-sooner
rule.c%return guest . XF_FPSSE%return guest%repaired-is-taken
rule.c%in_use \&= ~XF_SUPERVISOR%in_use \&= ~XF_PT%get-is-within-use
rule.c%guest : guest . XF_FPSSE%guest : guest%get-is-within-use
rule.c%\&\& xf_is_consistent(xcr0)%%xcr0-is-the-guests
vcpu.c%answer.reason != XF_REASON_NONE ..%%read-back-is-taken-back
vcpu.c%answer.loaded \& XF_PKRU)%true)%read-back-is-taken-back
vcpu.c%define GIVES_MXCSR (XF_SSE%define GIVES_MXCSR (XF_FPSSE%read-back-is-taken-back
vcpu.c%shown \& ~(XF_FPSSE . XF_PKRU)%fpu->in_use \& ~(XF_FPSSE | XF_PKRU)%read-back-is-taken-back
vcpu.c%fpu->in_use = answer.loaded%fpu->in_use |= answer.loaded | XF_X87%read-back-is-taken-back
vcpu.c%kvm->no_xsave .. kvm->mxcsr_always%kvm->mxcsr_always%read-back-is-taken-back
component.c%XF_AVX512, XF_AVX512 . XF_AVX%XF_AVX512, XF_AVX512%narrow-widen
component.c%XF_AMX, 0%XF_XTILECFG | XF_XTILEDATA | XF_AVX, 0%narrow-widen
area.c%xf_zero_bytes(bytes + place.offset, place.size)%xf_zero_bytes(bytes + place.offset, place.size + 1)%only-listed-bytes-change
area.c%drop \&= head.xstate_bv \& ~XF_FPSSE%drop \&= head.xstate_bv%only-listed-bytes-change
'

for source in "$root"/core/*.c "$root/tests/proofs/driver.c"; do
	"${cc[@]}" -c "$source" -o "$work/$(basename "$source" .c).o"
done
for proof in "$root"/tests/proofs/*/proof.c; do
	name=$(basename "$(dirname "$proof")")
	"${cc[@]}" -c "$proof" -o "$work/$name.proof"
done

failed=0
noticed=' '
count=0
while IFS='%' read -r file from to proof; do
	[ -n "$file" ] || continue
	count=$((count + 1))
	sed "s%$from%$to%" "$root/core/$file" >"$work/mutant.c"
	if cmp -s "$root/core/$file" "$work/mutant.c"; then
		echo "core/$file no longer has: $from"
		failed=1
		continue
	fi
	"${cc[@]}" -c "$work/mutant.c" -o "$work/mutant.o"
	objects=("$work/mutant.o" "$work/driver.o")
	for object in area component layout rule vcpu; do
		[ "$object.c" = "$file" ] || objects+=("$work/$object.o")
	done
	"${cc[@]}" -x none "${objects[@]}" "$work/$proof.proof" -o "$work/run"
	if "$work/run" >"$work/out"; then
		echo "$proof holds although core/$file says: $to"
		failed=1
	fi
	noticed+="$proof "
done <<<"$mutants"

for proof in "$root"/tests/proofs/*/; do
	name=$(basename "$proof")
	case $noticed in
	*" $name "*) ;;
	*)
		echo "no mutant for $name"
		failed=1
		;;
	esac
done
echo "$count mutants"
exit $failed
