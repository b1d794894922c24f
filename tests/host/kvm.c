/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wrappers of KVM's calls, with this machine's KVM; 77 without one. A guest that
 * never comes back is ended in time, and the caller's signals are as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/scope.h"
#include "host/kvm.h"
#include "tests/host/support.h"

#define SKIP 77
#define PAGE 4096
#define RESET_PAGE 0xfffff000
#define RESET_OFFSET 0xff0

struct machine {
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	struct xf_kvm_cpu cpu;
	struct xf_kvm_cpuid supported;
};

static int make(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	assert_success(xf_kvm_open(&machine->kvm));
	assert_success(xf_kvm_supported_cpuid(&machine->kvm, &machine->supported));
	assert_success(xf_kvm_create_vm(&machine->kvm, &machine->vm));
	assert_success(xf_kvm_create_cpu(&machine->vm, 0, &machine->cpu));
	*state = machine;
	return 0;
}

static int unmake(void **state)
{
	struct machine *machine = *state;

	xf_kvm_close_cpu(&machine->cpu);
	xf_kvm_close_vm(&machine->vm);
	xf_kvm_close(&machine->kvm);
	assert_int_equal(machine->cpu.fd, -1);
	assert_int_equal(machine->vm.fd, -1);
	assert_int_equal(machine->kvm.fd, -1);
	assert_null(machine->cpu.run);
	free(machine);
	return 0;
}

/* Nothing that is opened is passed on to other programs. */
static void test_close_on_exec(void **state)
{
	const struct machine *machine = *state;
	const int fds[] = { machine->kvm.fd, machine->vm.fd, machine->cpu.fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
}

static void test_cpuid(void **state)
{
	const struct machine *machine = *state;
	struct xf_kvm_cpuid guest;
	struct xf_cpuid_regs extents[XF_BITS];
	uint64_t supported = xf_kvm_cpuid_shown(&machine->supported);

	xf_kvm_cpuid_show(&machine->supported, XF_FPSSE | XF_AVX, &guest);
	assert_int_equal(xf_kvm_cpuid_shown(&guest), supported & (XF_FPSSE | XF_AVX));
	xf_kvm_cpuid_extents(&guest, extents);
	for (unsigned int i = 3; i < XF_BITS; i++)
		assert_int_equal(extents[i].eax, 0);

	const struct kvm_cpuid_entry2 *leaf7 = xf_kvm_cpuid_find(&guest, 7, 0);

	if (leaf7) {
		assert_int_equal(leaf7->ebx & (1u << 16), 0); /* AVX512F */
		assert_int_equal(leaf7->ecx & (1u << 3), 0);  /* PKU */
	}

	xf_kvm_cpuid_bare(&machine->supported, &guest);
	assert_null(xf_kvm_cpuid_find(&guest, 0xd, 0));
	assert_int_equal(xf_kvm_cpuid_shown(&guest), 0);
	assert_int_equal(xf_kvm_cpuid_find(&guest, 1, 0)->ecx & (1u << 26), 0);
	assert_int_equal(xf_kvm_set_cpuid(&machine->cpu, &guest), 0);
	assert_int_equal(xf_kvm_get_cpuid(&machine->cpu, &guest), 0);
	assert_true(guest.count > 0);

	/* What KVM refuses is an answer. */
	guest.count = XF_KVM_CPUID_MAX + 1;
	assert_int_equal(xf_kvm_set_cpuid(&machine->cpu, &guest), E2BIG);
}

static void test_state(void **state)
{
	const struct machine *machine = *state;
	unsigned char *area = calloc(1, machine->cpu.area_size);
	uint64_t xcr0 = 0, msr = 1;

	assert_int_equal(xf_kvm_get_xsave(&machine->cpu, area), 0);
	assert_int_equal(xf_kvm_set_xsave(&machine->cpu, area), 0);
	area[XF_LEGACY_SIZE + 7] = 0x80; /* bit 63 is no component */
	assert_int_equal(xf_kvm_set_xsave(&machine->cpu, area), EINVAL);
	free(area);
	if (xf_kvm_capability(machine->vm.fd, KVM_CAP_XCRS)) {
		assert_int_equal(xf_kvm_get_xcr0(&machine->cpu, &xcr0), 0);
		assert_int_equal(xcr0, XF_X87);
		assert_int_equal(xf_kvm_set_xcr0(&machine->cpu, XF_X87), 0);
		assert_int_equal(xf_kvm_set_xcr0(&machine->cpu, XF_SSE), EINVAL);
	}
	/* IA32_APIC_BASE is there, the other is no MSR. */
	assert_int_equal(xf_kvm_get_msr(&machine->cpu, 0x1b, &msr), 0);
	assert_int_equal(xf_kvm_set_msr(&machine->cpu, 0x1b, msr), 0);
	assert_int_equal(xf_kvm_get_msr(&machine->cpu, 0x12345678, &msr), ENOENT);
	assert_int_equal(xf_kvm_set_msr(&machine->cpu, 0x12345678, 0), ENOENT);
	assert_int_equal(xf_kvm_capability(machine->vm.fd, 100000), 0);
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
	(void)number;
	handled++;
}

/* `code` runs where a CPU begins. */
static int run(struct machine *machine, const unsigned char *code, size_t size,
	       unsigned int milliseconds)
{
	unsigned char *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	memcpy(page + RESET_OFFSET, code, size);
	xf_kvm_set_tss(&machine->vm, 0xfffbd000);
	assert_int_equal(xf_kvm_set_memory(&machine->vm, 0, RESET_PAGE, page, PAGE), 0);

	int answer = xf_kvm_run(&machine->cpu, milliseconds);

	assert_int_equal(xf_kvm_set_memory(&machine->vm, 0, RESET_PAGE, NULL, 0), 0);
	munmap(page, PAGE);
	return answer;
}

static void test_run(void **state)
{
	static const unsigned char out[] = { 0xe6, 0x80 }, loop[] = { 0xeb, 0xfe };
	const struct sigaction action = { .sa_handler = handle };
	struct machine *machine = *state;
	sigset_t before, after, pending;
	struct sigaction old, now;

	assert_int_equal(sigaction(SIGRTMAX, &action, &old), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &before);

	int answer = run(machine, out, sizeof(out), 5000);

	if (answer || machine->cpu.run->exit_reason != KVM_EXIT_IO) {
		print_message("this KVM runs no code: %d\n", answer);
		skip();
	}
	assert_int_equal(machine->cpu.run->io.port, 0x80);
	/* With no time at all it may have come back nevertheless. */
	answer = xf_kvm_run(&machine->cpu, 0);
	assert_true(answer == 0 || answer == ETIMEDOUT);

	/* It goes on with whatever is there; begin anew. */
	xf_kvm_close_cpu(&machine->cpu);
	assert_success(xf_kvm_create_cpu(&machine->vm, 1, &machine->cpu));
	assert_int_equal(run(machine, loop, sizeof(loop), 50), ETIMEDOUT);
	assert_int_equal(machine->cpu.run->exit_reason, KVM_EXIT_INTR);

	pthread_sigmask(SIG_SETMASK, NULL, &after);
	sigpending(&pending);
	sigaction(SIGRTMAX, &old, &now);
	assert_memory_equal(&before, &after, 8); /* the kernel's signals */
	assert_true(now.sa_handler == handle);
	assert_int_equal(handled, 0);
	assert_true(sigisemptyset(&pending));
}

/* A second vCPU of the same number is refused, and so is one whose area is too large. */
static void test_refused(void **state)
{
	struct machine *machine = *state;
	struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	struct xf_kvm_vm odd = machine->vm;

	assert_error(xf_kvm_create_cpu(&machine->vm, 0, &cpu), XF_ERR_IO,
		     "/dev/kvm: KVM_CREATE_VCPU: ");
	odd.area_size = XF_KVM_AREA_MAX + 1;
	assert_error(xf_kvm_create_cpu(&odd, 1, &cpu), XF_ERR_IO,
		     "KVM_CAP_XSAVE2: an area of 16385 bytes, expected 16384 at most");
	assert_int_equal(cpu.fd, -1);
}

/* File descriptors in use. */
static size_t open_files(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* A probe leaves nothing open. */
static void test_probe_closes(void **state)
{
	size_t before = open_files();
	struct xf_host *host;

	(void)state;
	assert_success(xf_host_probe(&host));
	assert_int_equal(open_files(), before);
	assert_string_equal(host->name, "local");
	xf_host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close_on_exec, make, unmake),
		cmocka_unit_test_setup_teardown(test_cpuid, make, unmake),
		cmocka_unit_test_setup_teardown(test_state, make, unmake),
		cmocka_unit_test_setup_teardown(test_run, make, unmake),
		cmocka_unit_test_setup_teardown(test_refused, make, unmake),
		cmocka_unit_test(test_probe_closes),
	};
	struct xf_kvm_device kvm = XF_KVM_CLOSED;
	struct xf_error *err = xf_kvm_open(&kvm);

	if (err) {
		printf("skipped: %s\n", err->text);
		xf_error_free(err);
		return SKIP;
	}
	xf_kvm_close(&kvm);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
