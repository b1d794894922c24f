/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module costs a KVM_SET_XSAVE and a KVM_GET_XSAVE; bench/kmod.py starts this in
 * a machine of the lab. The module comes and goes in one boot: each round measures all
 * settings one after another, and a ratio is taken within its round.
 *
 *	kmod XFERRY.KO
 *
 * Time is what RDTSC says. Where QEMU counts instructions (-icount shift=0) that is their
 * number. A line a measurement: state, call, setting, the median of the rounds' medians,
 * and the ratio to the call without the module: median, least and most of the rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/kvm.h"
#include "tests/kmod/torture/module.h"

#define ROUNDS 9
#define CALLS 301
/* Kprobes become jumps some jiffies after they are registered. */
#define SETTLE_US 300000

static const struct {
	const char *name, *parameters;
} settings[] = {
	{ "without", NULL },
	{ "observe", "mode=observe" },
	{ "trim", "mode=trim" },
	{ "observe-get", "mode=observe trim_get=1" },
	{ "trim-get", "mode=trim trim_get=1" },
};

#define SETTINGS (sizeof(settings) / sizeof(*settings))

/* What the guest is shown, and what the state has in use: all that this KVM holds, or FPSSE. */
static const struct {
	const char *name;
	bool shown, in_use;
} states[] = {
	{ "clean", false, false },
	{ "needed", true, true },
	{ "leaky", false, true },
};

#define STATES (sizeof(states) / sizeof(*states))

enum { SET, GET, XCALLS };

static const char *const calls[XCALLS] = { "set", "get" };

struct guest {
	struct xf_kvm_cpu cpu;
	unsigned char area[XF_KVM_AREA_MAX];
};

static struct guest guests[STATES];
static unsigned char got[XF_KVM_AREA_MAX];
static double cost[ROUNDS][SETTINGS][STATES][XCALLS];

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static double measure(const struct guest *guest, unsigned int call)
{
	static double each[CALLS];

	for (size_t i = 0; i < CALLS; i++) {
		uint64_t begin = ticks();
		int answer = call == SET ? xf_kvm_set_xsave(&guest->cpu, guest->area)
					 : xf_kvm_get_xsave(&guest->cpu, got);

		each[i] = (double)(ticks() - begin);
		if (answer) {
			complain("%s: %s", calls[call], strerror(answer));
			exit(1);
		}
	}
	return median(each, CALLS);
}

static bool one_round(const char *module, double out[SETTINGS][STATES][XCALLS])
{
	for (size_t s = 0; s < SETTINGS; s++) {
		int answer =
			settings[s].parameters ? module_load(module, settings[s].parameters) : 0;

		if (answer)
			return complain("load: %s", strerror(answer));
		usleep(SETTLE_US);
		for (size_t i = 0; i < STATES; i++)
			for (unsigned int call = 0; call < XCALLS; call++)
				out[s][i][call] = measure(&guests[i], call);
		if (settings[s].parameters && module_unload("xferry"))
			return complain("unload: %s", strerror(errno));
	}
	return true;
}

static bool open_guests(void)
{
	static struct xf_kvm_device kvm = XF_KVM_CLOSED;
	static struct xf_kvm_vm vm = XF_KVM_CLOSED;
	static struct xf_kvm_cpuid supported, shown;

	if (xf_kvm_open(&kvm) || xf_kvm_supported_cpuid(&kvm, &supported) ||
	    xf_kvm_create_vm(&kvm, &vm))
		return complain("no KVM");

	uint64_t host = xf_kvm_cpuid_shown(&supported);

	for (unsigned int i = 0; i < STATES; i++) {
		struct guest *guest = &guests[i];
		uint64_t in_use = states[i].in_use ? host : XF_FPSSE;

		xf_kvm_cpuid_show(&supported, states[i].shown ? host : XF_FPSSE, &shown);
		if (xf_kvm_create_cpu(&vm, i, &guest->cpu) || xf_kvm_set_cpuid(&guest->cpu, &shown))
			return complain("no vCPU");
		guest->area[XF_MXCSR_OFFSET] = 0x80;
		guest->area[XF_MXCSR_OFFSET + 1] = 0x1f;
		memcpy(guest->area + XF_XSTATE_BV_OFFSET, &in_use, sizeof(in_use));
	}
	printf("entries %u host %#llx\n", supported.count, (unsigned long long)host);
	return true;
}

static void print(size_t s, size_t i, unsigned int call)
{
	double all[ROUNDS], ratio[ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++) {
		all[r] = cost[r][s][i][call];
		ratio[r] = cost[r][s][i][call] / cost[r][0][i][call];
	}
	double typical = median(ratio, ROUNDS);

	printf("%-7s %s %-12s %9.0f %.4f %.4f %.4f\n", states[i].name, calls[call],
	       settings[s].name, median(all, ROUNDS), typical, ratio[0], ratio[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
	if (argc != 2 || !open_guests())
		return 1;
	for (size_t round = 0; round < ROUNDS; round++)
		if (!one_round(argv[1], cost[round]))
			return 1;
	for (size_t i = 0; i < STATES; i++)
		for (unsigned int call = 0; call < XCALLS; call++)
			for (size_t s = 0; s < SETTINGS; s++)
				print(s, i, call);
	return 0;
}
