/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "lab/drive.h"
#include "lab/guest.h"

/* A VM is made anew after so many vCPUs: the slots of closed ones stay taken until it goes. */
#define VM_CPUS 128

/* ---- Opening ---- */

void drive_clear(struct drive *drive)
{
	memset(drive, 0, sizeof(*drive));
	drive->kvm.fd = -1;
	drive->vm.fd = -1;
}

void drive_close(struct drive *drive)
{
	xf_kvm_close_vm(&drive->vm);
	xf_kvm_close(&drive->kvm);
}

static struct xf_error *check_profile(const struct xf_host *host)
{
	const char *lacking = NULL;

	if (!host->kvm.no_xsave && host->kvm.get == XF_GET_UNKNOWN)
		lacking = "get";
	else if (!host->kvm.no_xsave && host->kvm.set == XF_SET_UNKNOWN)
		lacking = "set";
	else if (!host->kvm.no_xsave && !host->has_layout)
		lacking = "layout";
	if (!lacking)
		return NULL;
	return xf_error_new(XF_ERR_USAGE, host->name,
			    "\"%s\" is not known there, so nothing can be predicted", lacking);
}

static struct xf_error *new_vm(struct drive *drive)
{
	xf_kvm_close_vm(&drive->vm);
	XF_TRY(xf_kvm_create_vm(&drive->kvm, &drive->vm));

	int most = xf_kvm_capability(drive->vm.fd, KVM_CAP_MAX_VCPUS);

	drive->vm_cpus = 0;
	drive->vm_cpus_max = most > 0 && most < VM_CPUS ? (unsigned int)most : VM_CPUS;
	return NULL;
}

static struct xf_error *new_cpu(struct drive *drive, struct xf_kvm_cpu *out)
{
	if (drive->vm_cpus >= drive->vm_cpus_max)
		XF_TRY(new_vm(drive));
	return xf_kvm_create_cpu(&drive->vm, drive->vm_cpus++, out);
}

/* The bytes that are the host's own, from a vCPU of which nothing has been asked. */
static struct xf_error *learn(struct drive *drive)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;

	XF_TRY(new_cpu(drive, &cpu));

	int answer = xf_kvm_get_xsave(&cpu, drive->got);

	if (answer)
		return xf_error_new(XF_ERR_IO, "/dev/kvm", "KVM_GET_XSAVE of a new vCPU: %s",
				    strerror(answer));
	compare_learn(&drive->host->kvm, drive->got, &drive->compare);
	return NULL;
}

struct xf_error *drive_open(const struct xf_host *host, uint64_t seed, uint64_t states,
			    struct drive *out)
{
	XF_TRY(check_profile(host));
	XF_TRY(xf_kvm_open(&out->kvm));
	/* Without leave there are no tiles in what KVM supports; then none are tried. */
	if (host->kvm.host & XF_XTILEDATA)
		(void)xf_kvm_permit(xf_lowest(XF_XTILEDATA));
	XF_TRY(xf_kvm_supported_cpuid(&out->kvm, &out->supported));
	XF_TRY(new_vm(out));
	out->host = host;
	out->shape = (struct generate_host){
		.components = host->kvm.host,
		.mxcsr_mask = host->kvm.mxcsr_mask,
		.layout = &host->layout,
		.area_size = out->vm.area_size,
	};
	generate_init(seed, states, &out->shape, &out->generate);
	return learn(out);
}

/* ---- One run ---- */

/* One vCPU, and the model of it. */
struct pair {
	struct xf_kvm_cpu cpu;
	struct xf_kvm_vcpu vcpu;
	struct xf_kvm_fpu fpu;
	uint64_t xcr0;
	enum guest_kind kind;
	uint64_t cpuid_set;
	bool blurred; /* IA32_XFD has disarmed something that was in use */
};

static void scope_pair(struct pair *pair)
{
	xf_kvm_close_cpu(&pair->cpu);
}

/* KVM may make another CPUID of it; what counts is the one that it gives back. */
static void tell_cpuid(const struct drive *drive, const struct guest_cpuid *guest,
		       struct pair *pair, struct tally *tally)
{
	struct xf_kvm_cpuid cpuid;

	guest_cpuid_make(&drive->supported, guest, &cpuid);

	uint64_t set = xf_kvm_cpuid_shown(&cpuid);
	const struct xf_guest evidence = xf_kvm_cpuid_evidence(&cpuid);

	tally->cpuid_told++;
	if (xf_kvm_set_cpuid(&pair->cpu, &cpuid)) {
		tally->cpuid_refused++;
		return;
	}
	pair->kind = guest->kind;
	pair->cpuid_set = set;
	pair->vcpu.cpuid_set = true;
	pair->vcpu.cpuid = set;
	pair->vcpu.evidence = evidence;
	/* Up to 6.2 KVM does not say how many entries it wrote: what it did not write must be 0. */
	memset(&cpuid, 0, sizeof(cpuid));
	if (xf_kvm_get_cpuid(&pair->cpu, &cpuid))
		return;
	pair->vcpu.cpuid = xf_kvm_cpuid_shown(&cpuid);
	if (pair->vcpu.cpuid != set)
		tally->cpuid_changed++;
}

static void arm(uint64_t xfd, struct pair *pair)
{
	if (xf_kvm_set_msr(&pair->cpu, XF_MSR_IA32_XFD, xfd))
		return;
	pair->vcpu.xfd = xfd;
	pair->blurred |= !!(pair->fpu.in_use & xfd);
}

static void describe(const struct generated *state, const unsigned char *area,
		     const struct pair *pair, struct difference *out)
{
	struct xf_area_head head = { 0 };

	(void)xf_area_head(area, XF_EXTENDED_OFFSET, &head);
	out->index = state->index;
	out->oddity = state->oddity;
	out->mxcsr = head.mxcsr;
	out->tried_xcr0 = state->xcr0;
	out->guest = (struct tally_guest){
		.kind = pair->kind,
		.told = pair->vcpu.cpuid_set,
		.cpuid_set = pair->cpuid_set,
		.cpuid_read = pair->vcpu.cpuid,
		.xfd = pair->vcpu.xfd,
		.xcr0 = pair->xcr0,
	};
	memcpy(out->header, area + XF_LEGACY_SIZE, XF_HEADER_SIZE);
}

/* Each of these is true when KVM did as the model; else `out` says what differed. */

static bool try_xcr0(const struct drive *drive, const struct generated *state, struct pair *pair,
		     struct tally *tally, struct difference *out)
{
	bool takes = xf_kvm_takes_xcr0(&drive->host->kvm, &pair->vcpu, state->xcr0);
	int answer = xf_kvm_set_xcr0(&pair->cpu, state->xcr0);

	out->call = CALL_SET_XCRS;
	out->expected_errno = takes ? 0 : EINVAL;
	out->got_errno = answer;
	if (out->got_errno != out->expected_errno)
		return false;
	if (!takes)
		tally->xcr0_refused++;
	else
		tally->xcr0_taken++;
	if (takes)
		pair->xcr0 = state->xcr0;
	return true;
}

/* A KVM without XSAVE has no XCR0 to give: it answers with none. */
static bool read_xcr0(const struct drive *drive, const struct pair *pair, struct difference *out)
{
	out->call = CALL_GET_XCRS;
	out->expected_errno = drive->host->kvm.no_xsave ? ENOENT : 0;
	out->expected_mask = pair->xcr0;
	out->got_mask = pair->xcr0;
	out->got_errno = xf_kvm_get_xcr0(&pair->cpu, &out->got_mask);
	return out->got_errno == out->expected_errno && out->got_mask == out->expected_mask;
}

static bool load(const struct drive *drive, const unsigned char *area, struct pair *pair,
		 struct tally *tally, struct difference *out)
{
	struct xf_kvm_answer answer =
		xf_kvm_fpu_set(&drive->host->kvm, &pair->vcpu, &pair->fpu, area);

	out->call = CALL_SET_XSAVE;
	out->reason = answer.reason;
	out->expected_errno = answer.reason == XF_REASON_NONE ? 0 : EINVAL;
	out->got_errno = xf_kvm_set_xsave(&pair->cpu, area);
	if (out->got_errno != out->expected_errno)
		return false;
	if (answer.reason == XF_REASON_NONE) {
		pair->blurred = false;
		tally->accepted++;
		tally->kinds[pair->kind].accepted++;
	} else {
		tally->refused[answer.reason]++;
		tally->kinds[pair->kind].refused++;
	}
	return true;
}

/*
 * KVM_GET_XSAVE and KVM_GET_XSAVE2 in turn where there are both: they give the same,
 * unless the area is larger than the former's.
 */
static int get_xsave(struct drive *drive, uint64_t index, const struct pair *pair,
		     struct tally *tally)
{
	struct xf_kvm_cpu cpu = pair->cpu;

	if (index / 3 % 2 && cpu.area_size == XF_KVM_XSAVE_SIZE)
		cpu.has_xsave2 = false;
	if (cpu.has_xsave2)
		tally->read_xsave2++;
	else
		tally->read_xsave++;
	return xf_kvm_get_xsave(&cpu, drive->got);
}

static bool read_back(struct drive *drive, uint64_t index, const struct pair *pair,
		      struct tally *tally, struct difference *out)
{
	out->call = CALL_GET_XSAVE;
	out->expected_errno = 0;
	out->got_errno = get_xsave(drive, index, pair, tally);
	if (out->got_errno)
		return false;
	if (pair->blurred) {
		tally->explained[EXPLAINED_XFD]++;
		return true;
	}
	xf_kvm_fpu_get(&drive->host->kvm, &pair->vcpu, &pair->fpu, drive->expected);
	return compare_areas(&drive->compare, drive->expected, drive->got, pair->fpu.size, tally,
			     out);
}

static bool try_state(struct drive *drive, unsigned int step, struct pair *pair,
		      struct tally *tally)
{
	const struct generated *state = &drive->states[step];
	const unsigned char *area = drive->areas + step * drive->shape.area_size;
	struct difference difference = { 0 };

	if (state->tell)
		tell_cpuid(drive, &state->cpuid, pair, tally);
	if (state->arm)
		arm(state->xfd, pair);
	tally->states++;
	tally->kinds[pair->kind].states++;
	tally->oddities[state->oddity]++;
	if (try_xcr0(drive, state, pair, tally, &difference) &&
	    read_xcr0(drive, pair, &difference) && load(drive, area, pair, tally, &difference) &&
	    read_back(drive, state->index, pair, tally, &difference))
		return true;
	describe(state, area, pair, &difference);
	tally_difference(tally, &difference);
	return false;
}

static struct xf_error *open_pair(struct drive *drive, struct pair *pair)
{
	XF_TRY(new_cpu(drive, &pair->cpu));
	if (!xf_kvm_fpu_init(&drive->host->kvm, &drive->host->layout, drive->model,
			     drive->shape.area_size, &pair->fpu))
		return xf_error_new(XF_ERR_USAGE, drive->host->name,
				    "its components do not fit into this KVM's area of %zu bytes",
				    drive->shape.area_size);
	return NULL;
}

struct xf_error *drive_run(struct drive *drive, uint64_t run, unsigned int count,
			   struct tally *tally)
{
	XF_AUTO(scope_pair)
	struct pair pair = { .cpu = XF_KVM_CLOSED, .xcr0 = XF_X87, .kind = GUEST_UNTOLD };

	XF_TRY(open_pair(drive, &pair));
	generate_run(&drive->generate, run, drive->states, drive->areas);
	for (unsigned int i = 0; i < count; i++) {
		if (try_state(drive, i, &pair, tally))
			continue;
		/* The model and the vCPU have parted: what follows would tell nothing. */
		tally->skipped += count - i - 1;
		break;
	}
	return NULL;
}
