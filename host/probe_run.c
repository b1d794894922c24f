/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "host/probe_run.h"

/* The page that ends at 4 GiB, where a CPU begins after reset, and an instruction there. */
#define RESET_PAGE 0xfffff000
#define RESET_OFFSET 0xff0
#define PAGE 4096
#define PORT 0x80
/* Three pages below, free for KVM_SET_TSS_ADDR. */
#define TSS_ADDRESS 0xfffbd000

/* Much more than it takes, even on an emulated CPU. */
#define RUN_LIMIT_MS 1000

static bool refused(char why[XF_PROBE_WHY], const char *what, int error)
{
	snprintf(why, XF_PROBE_WHY, "%s: %s", what, strerror(error));
	return false;
}

static bool came_back(const struct kvm_run *run, char why[XF_PROBE_WHY])
{
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT)
		return true;
	snprintf(why, XF_PROBE_WHY, "KVM_RUN cannot run a guest's code here: exit reason %" PRIu32,
		 run->exit_reason);
	return false;
}

bool xf_probe_run(const struct xf_kvm_vm *vm, struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY])
{
	static const unsigned char code[] = { 0x90, 0xe6, PORT };
	unsigned char *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return refused(why, "mmap", errno);
	memcpy(page + RESET_OFFSET, code, sizeof(code));
	/* CPUs that do not need it do not mind, and the run tells if one did. */
	xf_kvm_set_tss(vm, TSS_ADDRESS);

	int answer = xf_kvm_set_memory(vm, 0, RESET_PAGE, page, PAGE);
	bool well = answer ? refused(why, "KVM_SET_USER_MEMORY_REGION", answer) : true;

	if (well) {
		answer = xf_kvm_run(cpu, RUN_LIMIT_MS);
		well = answer ? refused(why, "KVM_RUN", answer) : came_back(cpu->run, why);
		/* Still running: the page is its, and KVM would wait for it to take it away. */
		if (cpu->fd < 0)
			return false;
		xf_kvm_set_memory(vm, 0, RESET_PAGE, NULL, 0);
	}
	munmap(page, PAGE);
	return well;
}
