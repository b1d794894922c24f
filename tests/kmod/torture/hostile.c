/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that may do nothing but open /dev/kvm, and does all it can with it, while the
 * module is loaded: what it is told must be right, and the kernel must not notice it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/kmod/torture/torture.h"

#define NOBODY 65534

/* One VM and one vCPU, and what it may hold. */
struct victim {
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	struct xf_kvm_cpu cpu;
	struct xf_kvm_cpuid supported, cpuid;
	struct belief belief;
	unsigned char area[XF_KVM_AREA_MAX], got[XF_KVM_AREA_MAX];
	uint64_t seed;
};

static void scope_victim(struct victim **victim)
{
	if (!*victim)
		return;
	xf_kvm_close_cpu(&(*victim)->cpu);
	xf_kvm_close_vm(&(*victim)->vm);
	xf_kvm_close(&(*victim)->kvm);
	free(*victim);
}

static bool opened(struct xf_error *err)
{
	if (!err)
		return true;
	complain("%s", err->text);
	xf_error_free(err);
	return false;
}

static struct victim *victim_open(const struct torture *torture)
{
	static const uint64_t all = MASK_ALL;
	struct victim *victim = calloc(1, sizeof(*victim));
	const struct xf_host *host = torture->host;

	if (!victim)
		return NULL;
	victim->kvm.fd = victim->vm.fd = victim->cpu.fd = -1;
	victim->seed = torture->seed;
	if (opened(xf_kvm_open(&victim->kvm)) &&
	    opened(xf_kvm_supported_cpuid(&victim->kvm, &victim->supported)) &&
	    opened(xf_kvm_create_vm(&victim->kvm, &victim->vm)) &&
	    opened(xf_kvm_create_cpu(&victim->vm, 0, &victim->cpu)) &&
	    xf_kvm_get_xsave(&victim->cpu, victim->got) == 0 &&
	    belief_init(&host->kvm, &host->layout, victim->vm.area_size, &all, 1,
			&victim->belief)) {
		victim->belief.get = BELIEF_TRIMMED;
		compare_learn(&host->kvm, victim->got, &victim->belief.compare);
		return victim;
	}
	scope_victim(&victim);
	return NULL;
}

/* An area with some components in use, data of one byte all over, a sound header. */
static void fill(struct victim *victim, const struct xf_host *host)
{
	uint64_t in_use = any_of(&victim->seed, 1u << 10) & (host->kvm.host | XF_PKRU);

	memset(victim->area, (int)any_of(&victim->seed, 256), sizeof(victim->area));
	memset(victim->area + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	memset(victim->area + XF_MXCSR_OFFSET, 0, 4);
	victim->area[XF_MXCSR_OFFSET] = 0x80;
	victim->area[XF_MXCSR_OFFSET + 1] = 0x1f;
	memcpy(victim->area + XF_XSTATE_BV_OFFSET, &in_use, sizeof(in_use));
}

static bool set_and_get(struct victim *victim, const struct xf_host *host, const char *what)
{
	fill(victim, host);

	int answer = xf_kvm_set_xsave(&victim->cpu, victim->area);
	struct xf_area_head head = { 0 };

	(void)xf_area_head(victim->area, sizeof(victim->area), &head);
	if (!belief_set(&victim->belief, victim->area, answer))
		return complain("%s: KVM_SET_XSAVE of %#" PRIx64 " to a guest shown %#" PRIx64
				": %s",
				what, head.xstate_bv, victim->belief.guests[0].evidence.shown,
				answer ? strerror(answer) : "accepted");
	answer = xf_kvm_get_xsave(&victim->cpu, victim->got);
	if (answer || !belief_get(&victim->belief, victim->got))
		return complain("%s: KVM_GET_XSAVE behind one of %#" PRIx64 ": %s", what,
				head.xstate_bv, answer ? strerror(answer) : "not as expected");
	return true;
}

/* ---- CPUID tables ---- */

static struct kvm_cpuid_entry2 any_entry(uint64_t *seed)
{
	static const uint32_t functions[] = { 0, 1, 7, 0xd, 0xd, 0x80000000, 0x40000000, ~0u };
	struct kvm_cpuid_entry2 entry = { .function = functions[any_of(seed, 8)],
					  .index = any_of(seed, 4) ? any_of(seed, 3)
								   : any_of(seed, 1u << 31),
					  .flags = any_of(seed, 8) };
	const uint32_t values[] = { 0,	   ~0u, any_of(seed, 1u << 31), 0xd, 1u << 26,
				    0x207, 3,	any_of(seed, 64) };

	entry.eax = values[any_of(seed, 8)];
	entry.ebx = values[any_of(seed, 8)];
	entry.ecx = values[any_of(seed, 8)];
	entry.edx = any_of(seed, 4) ? 0 : values[any_of(seed, 8)];
	return entry;
}

/* Sizes at the ends of what KVM takes; entries that are what KVM says, doubled, or anything. */
static void make_table(struct victim *victim)
{
	static const uint32_t sizes[] = { 0, 1, 2, 3, 64, 255, 256, 257 };
	struct xf_kvm_cpuid *cpuid = &victim->cpuid;

	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->count = sizes[any_of(&victim->seed, 8)];
	for (uint32_t i = 0; i < cpuid->count && i < XF_KVM_CPUID_MAX; i++)
		cpuid->entries[i] =
			any_of(&victim->seed, 3) && victim->supported.count
				? victim->supported
					  .entries[any_of(&victim->seed, victim->supported.count)]
				: any_entry(&victim->seed);
}

static struct belief_guest guest_now(struct victim *victim)
{
	uint32_t count = victim->cpuid.count;

	memset(&victim->cpuid, 0, sizeof(victim->cpuid));
	if (count)
		(void)xf_kvm_get_cpuid(&victim->cpu, &victim->cpuid);
	victim->cpuid.count = count;
	return belief_guest_of(&victim->cpuid);
}

static bool tables(const struct torture *torture)
{
	XF_AUTO(scope_victim) struct victim *victim = victim_open(torture);
	uint64_t taken = 0, refused = 0;

	if (!victim)
		return false;
	for (uint64_t i = 0; i < torture->rounds; i++) {
		make_table(victim);
		if (xf_kvm_set_cpuid(&victim->cpu, &victim->cpuid)) {
			refused++;
		} else {
			const struct belief_guest guest = guest_now(victim);

			taken++;
			belief_tell(&victim->belief, &guest, 1);
		}
		if (!set_and_get(victim, torture->host, "tables"))
			return false;
	}
	report("tables taken %" PRIu64 " refused %" PRIu64, taken, refused);
	return taken && refused;
}

/* ---- CPUID changed under a state ---- */

struct changer {
	const struct xf_kvm_cpu *cpu;
	const struct xf_kvm_cpuid *tables;
	atomic_bool end;
	uint64_t changes;
};

static void *change(void *data)
{
	struct changer *changer = data;

	for (unsigned int i = 0; !changer->end; i++)
		if (xf_kvm_set_cpuid(changer->cpu, &changer->tables[i % 2]) == 0)
			changer->changes++;
	return NULL;
}

static bool race(const struct torture *torture)
{
	XF_AUTO(scope_victim) struct victim *victim = victim_open(torture);
	static struct xf_kvm_cpuid two[2];
	struct belief_guest guests[2];
	pthread_t thread;
	bool right = true;

	if (!victim)
		return false;
	xf_kvm_cpuid_show(&victim->supported, XF_FPSSE, &two[0]);
	xf_kvm_cpuid_show(&victim->supported, torture->host->kvm.host, &two[1]);
	for (unsigned int i = 0; i < 2; i++) {
		victim->cpuid = two[i];
		if (xf_kvm_set_cpuid(&victim->cpu, &two[i]))
			return complain("race: KVM_SET_CPUID2 is refused");
		guests[i] = guest_now(victim);
	}
	belief_tell(&victim->belief, guests, 2);

	struct changer changer = { .cpu = &victim->cpu, .tables = two };

	if (pthread_create(&thread, NULL, change, &changer) != 0)
		return complain("no thread");
	for (uint64_t i = 0; right && i < torture->rounds; i++)
		right = set_and_get(victim, torture->host, "race");
	changer.end = true;
	pthread_join(thread, NULL);
	report("race changes %" PRIu64, changer.changes);
	return right && changer.changes;
}

/* ---- Closed while it is used ---- */

struct closer {
	const struct torture *torture;
	_Atomic int fd;
	atomic_bool end;
	uint64_t calls, lost;
	unsigned char area[XF_KVM_AREA_MAX];
};

static void *use(void *data)
{
	struct closer *closer = data;
	uint64_t seed = closer->torture->seed;

	while (!closer->end) {
		unsigned long request = any_of(&seed, 2) ? KVM_SET_XSAVE : KVM_GET_XSAVE;

		/* The vCPU may be closed before, within and behind this; so may its number be
		 * another's. */
		if (ioctl(closer->fd, request, closer->area) == 0)
			closer->calls++;
		else
			closer->lost++;
	}
	return NULL;
}

static bool close_under(struct closer *closer)
{
	struct xf_kvm_device kvm = XF_KVM_CLOSED;
	struct xf_kvm_vm vm = XF_KVM_CLOSED;
	struct xf_kvm_cpu cpus[4] = { XF_KVM_CLOSED, XF_KVM_CLOSED, XF_KVM_CLOSED, XF_KVM_CLOSED };
	bool right = opened(xf_kvm_open(&kvm)) && opened(xf_kvm_create_vm(&kvm, &vm));

	for (unsigned int i = 0; right && i < 4; i++) {
		right = opened(xf_kvm_create_cpu(&vm, i, &cpus[i]));
		if (!right)
			break;
		closer->fd = cpus[i].fd;
		usleep(300);
	}
	/* The VM goes first: the vCPUs keep it until the last of them is closed. */
	xf_kvm_close_vm(&vm);
	for (unsigned int i = 0; i < 4; i++)
		xf_kvm_close_cpu(&cpus[i]);
	xf_kvm_close(&kvm);
	return right;
}

static bool closed(const struct torture *torture)
{
	struct closer *closer = calloc(1, sizeof(*closer));
	pthread_t threads[4];
	bool right = closer;

	if (!closer)
		return false;
	closer->torture = torture;
	closer->fd = -1;
	closer->area[XF_XSTATE_BV_OFFSET] = 0x07;
	closer->area[XF_XSTATE_BV_OFFSET + 1] = 0x02;
	for (unsigned int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, use, closer) != 0)
			return complain("no thread");
	for (uint64_t i = 0; right && i < torture->rounds / 8; i++)
		right = close_under(closer);
	closer->end = true;
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	report("closed calls %" PRIu64 " lost %" PRIu64, closer->calls, closer->lost);
	right &= closer->calls && closer->lost;
	free(closer);
	return right;
}

/* ---- Another process, and addresses that are none ---- */

static bool elsewhere(const struct torture *torture)
{
	XF_AUTO(scope_victim) struct victim *victim = victim_open(torture);
	int status = 0;

	if (!victim)
		return false;
	fill(victim, torture->host);

	pid_t child = fork();

	if (child == 0)
		/* A VM is its process's own: KVM answers EIO to any other. */
		_exit(xf_kvm_set_xsave(&victim->cpu, victim->area) == EIO &&
				      xf_kvm_get_xsave(&victim->cpu, victim->got) == EIO
			      ? 0
			      : 1);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return complain("elsewhere: another process is not answered with EIO");

	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (xf_kvm_set_xsave(&victim->cpu, hole) != EFAULT ||
	    xf_kvm_set_xsave(&victim->cpu, NULL) != EFAULT ||
	    xf_kvm_get_xsave(&victim->cpu, hole) != EFAULT)
		return complain("elsewhere: an address that is none is not answered with EFAULT");
	return set_and_get(victim, torture->host, "elsewhere");
}

static bool all_of_it(const struct torture *torture)
{
	return ride_steadily(torture, MASK_ALL, BELIEF_TRIMMED, torture->states / GENERATE_RUN) &&
	       tables(torture) && race(torture) && closed(torture) && elsewhere(torture);
}

bool scene_hostile(const struct torture *torture)
{
	int answer = module_load(torture->module, "mode=trim trim_get=1");
	int status = 0;

	if (answer)
		return complain("load: %s", strerror(answer));
	if (chmod("/dev/kvm", 0666))
		return complain("/dev/kvm: %s", strerror(errno));

	pid_t child = fork();

	if (child == 0) {
		if (setgid(NOBODY) || setuid(NOBODY) || open("/dev/kmsg", O_WRONLY) >= 0)
			_exit(2);
		_exit(all_of_it(torture) ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return complain("no process");
	answer = module_unload(torture->name);
	if (answer)
		return complain("unload: %s", strerror(answer));
	report("hostile status %d", status);
	return status == 0 && !module_left(torture->name);
}
