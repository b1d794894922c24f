/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "lab/guest.h"
#include "tests/kmod/torture/rider.h"

/* A VM is made anew after so many vCPUs: the slots of closed ones stay taken until it goes. */
#define VM_CPUS 64

static bool __attribute__((format(printf, 2, 3)))
wrong(struct rider *rider, const char *format, ...)
{
	va_list arguments;

	if (rider->wrong[0])
		return false;
	va_start(arguments, format);
	vsnprintf(rider->wrong, sizeof(rider->wrong), format, arguments);
	va_end(arguments);
	return false;
}

static bool failed(struct rider *rider, struct xf_error *err)
{
	if (!err)
		return false;
	wrong(rider, "%s", err->text);
	xf_error_free(err);
	return true;
}

static bool new_cpu(struct rider *rider)
{
	xf_kvm_close_cpu(&rider->cpu);
	if (rider->vm.fd < 0 || rider->vm_cpus >= VM_CPUS) {
		xf_kvm_close_vm(&rider->vm);
		rider->vm_cpus = 0;
		if (failed(rider, xf_kvm_create_vm(&rider->kvm, &rider->vm)))
			return false;
	}
	return !failed(rider, xf_kvm_create_cpu(&rider->vm, rider->vm_cpus++, &rider->cpu));
}

static bool open_all(struct rider *rider, uint64_t seed)
{
	const struct xf_host *host = rider->ride->host;

	if (failed(rider, xf_kvm_open(&rider->kvm)) ||
	    failed(rider, xf_kvm_supported_cpuid(&rider->kvm, &rider->supported)) ||
	    !new_cpu(rider))
		return false;
	/* Whoever reads a new vCPU reads the host's own bytes, hook or no hook. */
	if (xf_kvm_get_xsave(&rider->cpu, rider->got))
		return wrong(rider, "KVM_GET_XSAVE of a new vCPU: %s", strerror(errno));
	compare_learn(&host->kvm, rider->got, &rider->compare);
	rider->shape = (struct generate_host){
		.components = host->kvm.host,
		.mxcsr_mask = host->kvm.mxcsr_mask,
		.layout = &host->layout,
		.area_size = rider->vm.area_size,
	};
	generate_init(seed, rider->ride->states, &rider->shape, &rider->generate);
	return true;
}

struct rider *rider_open(const struct ride *ride, uint64_t seed)
{
	struct rider *rider = calloc(1, sizeof(*rider));

	if (!rider) {
		fprintf(stderr, "torture: out of memory\n");
		return NULL;
	}
	rider->ride = ride;
	rider->kvm.fd = rider->vm.fd = rider->cpu.fd = -1;
	if (open_all(rider, seed))
		return rider;
	fprintf(stderr, "torture: %s\n", rider->wrong);
	rider_close(rider);
	return NULL;
}

void rider_close(struct rider *rider)
{
	xf_kvm_close_cpu(&rider->cpu);
	xf_kvm_close_vm(&rider->vm);
	xf_kvm_close(&rider->kvm);
	free(rider);
}

/* KVM may refuse a table; the guest stays what it was then. */
static void tell(struct rider *rider, const struct guest_cpuid *guest)
{
	static __thread struct xf_kvm_cpuid cpuid;

	guest_cpuid_make(&rider->supported, guest, &cpuid);
	if (xf_kvm_set_cpuid(&rider->cpu, &cpuid))
		return;

	/* Up to 6.2 KVM does not say how many entries it gives back: as many as it was given. */
	uint32_t count = cpuid.count;

	memset(&cpuid, 0, sizeof(cpuid));
	if (count)
		(void)xf_kvm_get_cpuid(&rider->cpu, &cpuid);
	cpuid.count = count;

	const struct belief_guest told = belief_guest_of(&cpuid);

	rider->kind = guest->kind;
	belief_tell(&rider->belief, &told, 1);
}

static bool try_state(struct rider *rider, const struct generated *state, const unsigned char *area)
{
	struct xf_area_head head = { 0 };

	(void)xf_area_head(area, rider->shape.area_size, &head);
	if (state->tell)
		tell(rider, &state->cpuid);

	int answer = xf_kvm_set_xsave(&rider->cpu, area);

	rider->sets++;
	if (!answer)
		rider->accepted++;
	else
		rider->refused++;
	if (!belief_set(&rider->belief, area, answer))
		return wrong(rider,
			     "state %" PRIu64 ": KVM_SET_XSAVE of xstate_bv %#" PRIx64
			     " to a guest \"%s\" shown %#" PRIx64 " of %#" PRIx64 ": %s",
			     state->index, head.xstate_bv, guest_kind_name(rider->kind),
			     rider->belief.guests[0].evidence.shown,
			     rider->belief.guests[0].evidence.known,
			     answer ? strerror(answer) : "accepted");
	answer = xf_kvm_get_xsave(&rider->cpu, rider->got);
	rider->gets++;
	if (answer)
		return wrong(rider, "KVM_GET_XSAVE: %s", strerror(answer));
	if (belief_get(&rider->belief, rider->got))
		return true;
	(void)xf_area_head(rider->got, rider->shape.area_size, &head);
	return wrong(rider,
		     "state %" PRIu64 ": KVM_GET_XSAVE gave xstate_bv %#" PRIx64
		     " and data that nothing explains",
		     state->index, head.xstate_bv);
}

bool rider_run(struct rider *rider, uint64_t run)
{
	const struct ride *ride = rider->ride;

	if (!new_cpu(rider))
		return false;
	rider->kind = GUEST_UNTOLD;
	if (!belief_init(&ride->host->kvm, &ride->host->layout, rider->shape.area_size, ride->masks,
			 ride->mask_count, &rider->belief))
		return wrong(rider, "the profile's layout does not fit this KVM's area");
	rider->belief.get = ride->get;
	rider->belief.compare = rider->compare;
	generate_run(&rider->generate, run, rider->states, rider->areas);

	bool right = true;

	for (unsigned int i = 0; right && i < GENERATE_RUN; i++)
		right = try_state(rider, &rider->states[i],
				  rider->areas + i * rider->shape.area_size);
	rider->hooked += rider->belief.hooked;
	rider->plain += rider->belief.plain;
	return right;
}
