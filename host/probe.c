/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The questions. Each says which behaviours it tells apart, by the commits of
 * Linux that made them; nothing is concluded here.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/scope.h"
#include "host/host.h"
#include "host/kvm.h"
#include "host/probe.h"
#include "host/probe_run.h"

#define RESERVED_WORDS 6

/* Every component of XCR0 that there could be. */
#define ANY_COMPONENT (~XF_COMPACTED)
/* Those in which any bytes are valid data; they are never loaded into a CPU here. */
#define ANY_DATA (XF_AVX | XF_AVX512 | XF_PKRU)

struct asking {
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	unsigned int next_id;
	struct xf_kvm_cpuid supported;
	struct xf_kvm_cpuid guest;
	struct xf_layout layout;
	unsigned char area[XF_KVM_AREA_MAX];
	struct xf_probe_answers *answers;
};

/* Notes why something could not be asked. Always false, for the caller to return. */
__attribute__((format(printf, 2, 3))) static bool no(char why[XF_PROBE_WHY], const char *format,
						     ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, XF_PROBE_WHY, format, args);
	va_end(args);
	return false;
}

static bool refused(char why[XF_PROBE_WHY], const char *what, int error)
{
	return no(why, "%s: %s", what, strerror(error));
}

/* What this process or this machine has run out of is no answer of KVM's. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* Of what opens something: errno tells why. */
static bool failed(struct asking *ask, char why[XF_PROBE_WHY], struct xf_error *err)
{
	ask->answers->short_of_something |= is_shortage(errno);
	no(why, "%s", err->text);
	xf_error_free(err);
	return false;
}

/* ---- One area ---- */

/* x86 alone has this file, and x86 is little-endian. */
static uint32_t get32(const struct asking *ask, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, ask->area + offset, sizeof(value));
	return value;
}

static uint64_t get64(const struct asking *ask, uint32_t offset)
{
	uint64_t value;

	memcpy(&value, ask->area + offset, sizeof(value));
	return value;
}

static void put16(struct asking *ask, uint32_t offset, uint16_t value)
{
	memcpy(ask->area + offset, &value, sizeof(value));
}

static void put32(struct asking *ask, uint32_t offset, uint32_t value)
{
	memcpy(ask->area + offset, &value, sizeof(value));
}

static void put64(struct asking *ask, uint32_t offset, uint64_t value)
{
	memcpy(ask->area + offset, &value, sizeof(value));
}

/* Initial x87 and SSE, nothing else, and a header that says what is in use. */
static void compose(struct asking *ask, uint64_t xstate_bv)
{
	memset(ask->area, 0, sizeof(ask->area));
	put16(ask, XF_FCW_OFFSET, XF_FCW_INIT);
	put32(ask, XF_MXCSR_OFFSET, XF_MXCSR_INIT);
	put64(ask, XF_XSTATE_BV_OFFSET, xstate_bv);
}

static int set(const struct asking *ask, const struct xf_kvm_cpu *cpu)
{
	return xf_kvm_set_xsave(cpu, ask->area);
}

/* XSTATE_BV of KVM_GET_XSAVE; the area is in `ask->area` then. */
static bool get(struct asking *ask, const struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY],
		uint64_t *xstate_bv)
{
	int answer = xf_kvm_get_xsave(cpu, ask->area);

	if (answer)
		return refused(why, "KVM_GET_XSAVE", answer);
	*xstate_bv = get64(ask, XF_XSTATE_BV_OFFSET);
	return true;
}

/* Whether KVM_SET_XSAVE took what is in `ask->area`. Only 0 and EINVAL are answers. */
static bool taken(const struct asking *ask, const struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY],
		  bool *out)
{
	int answer = set(ask, cpu);

	if (answer && answer != EINVAL)
		return refused(why, "KVM_SET_XSAVE", answer);
	*out = !answer;
	return true;
}

/* ---- One guest ---- */

static void make_cpuid(struct asking *ask, enum xf_probe_guest guest)
{
	switch (guest) {
	case XF_PROBE_NONE:
	case XF_PROBE_EMPTY:
	case XF_PROBE_GUESTS:
		ask->guest.count = 0;
		ask->guest.padding = 0;
		break;
	case XF_PROBE_BARE:
		xf_kvm_cpuid_bare(&ask->supported, &ask->guest);
		break;
	case XF_PROBE_FPSSE:
		xf_kvm_cpuid_show(&ask->supported, XF_FPSSE, &ask->guest);
		break;
	case XF_PROBE_AVX:
		xf_kvm_cpuid_show(&ask->supported, XF_FPSSE | XF_AVX, &ask->guest);
		break;
	case XF_PROBE_FULL:
		ask->guest = ask->supported;
		break;
	}
}

/* Gives the vCPU this guest's CPUID and tells what it then shows. */
static bool show(struct asking *ask, const struct xf_kvm_cpu *cpu, enum xf_probe_guest guest,
		 char why[XF_PROBE_WHY], uint64_t *shown)
{
	make_cpuid(ask, guest);

	int answer = xf_kvm_set_cpuid(cpu, &ask->guest);

	if (answer)
		return refused(why, "KVM_SET_CPUID2", answer);
	answer = xf_kvm_get_cpuid(cpu, &ask->guest);
	if (answer)
		return refused(why, "KVM_GET_CPUID2", answer);
	*shown = xf_kvm_cpuid_shown(&ask->guest);
	return true;
}

static bool fresh_cpu(struct asking *ask, char why[XF_PROBE_WHY], struct xf_kvm_cpu *out)
{
	struct xf_error *err = xf_kvm_create_cpu(&ask->vm, ask->next_id, out);

	if (err)
		return failed(ask, why, err);
	ask->next_id++;
	return true;
}

static bool fresh_guest(struct asking *ask, enum xf_probe_guest guest, char why[XF_PROBE_WHY],
			struct xf_kvm_cpu *out, uint64_t *shown)
{
	return fresh_cpu(ask, why, out) && show(ask, out, guest, why, shown);
}

/* Which components KVM_SET_XSAVE takes, each alone. */
static bool accepted_alone(struct asking *ask, const struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY],
			   uint64_t *out)
{
	uint64_t accepted = 0;

	xf_for_each_bit (bit, ANY_COMPONENT) {
		bool took = false;

		compose(ask, xf_mask(bit));
		if (!taken(ask, cpu, why, &took))
			return false;
		if (took)
			accepted |= xf_mask(bit);
	}
	*out = accepted;
	return true;
}

/* Puts these components to use; `*out` is 0 if KVM takes each of them but not all. */
static bool put_to_use(struct asking *ask, const struct xf_kvm_cpu *cpu, uint64_t mask,
		       char why[XF_PROBE_WHY], uint64_t *out)
{
	bool took = false;

	compose(ask, mask);
	if (!taken(ask, cpu, why, &took))
		return false;
	*out = took ? mask : 0;
	return true;
}

/*
 * What a guest has in use that it is no longer shown. It is the one way to that where
 * SET takes only what the guest is shown, or a hook takes PKRU away.
 */
static bool narrow(struct asking *ask, const struct xf_kvm_cpu *cpu, enum xf_probe_guest guest,
		   uint64_t *out)
{
	uint64_t all = ask->answers->supported | XF_FPSSE;
	uint64_t shown, used = 0;
	char why[XF_PROBE_WHY];

	return show(ask, cpu, XF_PROBE_FULL, why, &shown) &&
	       put_to_use(ask, cpu, all, why, &used) && used &&
	       show(ask, cpu, guest, why, &shown) && get(ask, cpu, why, out);
}

/* What is there of what this guest has set: of what was taken, KVM may have loaded less. */
static bool widen(struct asking *ask, const struct xf_kvm_cpu *cpu, uint64_t *out)
{
	char why[XF_PROBE_WHY];
	uint64_t shown;

	return show(ask, cpu, XF_PROBE_FULL, why, &shown) && get(ask, cpu, why, out);
}

/*
 * GET: leaks or trims, with or without x87 and SSE always (00c87e9a70a1 for 4.10,
 * d69c1382e1b7, ad856280ddea, a1020a25e697), and trims only once there is a CPUID
 * (ad856280ddea). SET: follows the guest's mask or the host's (ad856280ddea,
 * 18164f66e6c5). A strict KVM takes nothing that the guest was not shown, so what
 * is in use then is put there before KVM_SET_CPUID2, when it takes what the host
 * holds. A guest that is shown PKRU only after PKRU was set has lost it to a
 * kernel that clears it (Proxmox VE's hook); with any other it is there. A module that
 * goes by the guest's CPUID trims the guest whose CPUID denies XSAVE, and not the one
 * whose CPUID has no entries, though KVM itself shows both of them nothing.
 */
static bool talk(struct asking *ask, enum xf_probe_guest guest, char why[XF_PROBE_WHY],
		 struct xf_probe_dialogue *out)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	struct xf_probe_dialogue dialogue = { .done = true };
	uint64_t all;

	if (!fresh_cpu(ask, why, &cpu))
		return false;
	if (guest != XF_PROBE_NONE) {
		uint64_t any = ask->answers->guests[XF_PROBE_NONE].accepted;

		if (!put_to_use(ask, &cpu, any, why, &dialogue.before))
			return false;
		make_cpuid(ask, guest);
		dialogue.asked = xf_kvm_cpuid_shown(&ask->guest);
		if (!show(ask, &cpu, guest, why, &dialogue.shown))
			return false;
		dialogue.evidence = xf_kvm_cpuid_evidence(&ask->guest);
		if (!get(ask, &cpu, why, &dialogue.carried))
			return false;
	}
	if (!accepted_alone(ask, &cpu, why, &dialogue.accepted) ||
	    !put_to_use(ask, &cpu, dialogue.accepted, why, &all) ||
	    !get(ask, &cpu, why, &dialogue.kept))
		return false;
	if (all != dialogue.accepted)
		return no(why, "KVM_SET_XSAVE takes each of some components and not all together");
	if (guest != XF_PROBE_NONE) {
		dialogue.was_widened = widen(ask, &cpu, &dialogue.widened);
		dialogue.was_narrowed = narrow(ask, &cpu, guest, &dialogue.narrowed);
	}
	*out = dialogue;
	return true;
}

static void ask_guests(struct asking *ask, char why[XF_PROBE_WHY])
{
	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++)
		talk(ask, (enum xf_probe_guest)i, why, &ask->answers->guests[i]);
}

/* ---- The area ---- */

static void fill(struct asking *ask, uint64_t components)
{
	xf_for_each_bit (bit, components) {
		const struct xf_extent *extent = &ask->layout.at[bit.n];

		for (uint32_t i = 0; i < extent->size; i++)
			ask->area[extent->offset + i] = (unsigned char)(1 + bit.n + i % 61);
	}
}

static bool is_filled(const struct asking *ask, struct xf_bit bit)
{
	const struct xf_extent *extent = &ask->layout.at[bit.n];
	/* Of PKRU the upper four bytes are reserved. */
	uint32_t size = xf_mask(bit) == XF_PKRU ? 4 : extent->size;

	for (uint32_t i = 0; i < size; i++)
		if (ask->area[extent->offset + i] != (unsigned char)(1 + bit.n + i % 61))
			return false;
	return true;
}

/* Whether components lie where CPUID leaf 0xD says: data put there comes back from there. */
static void ask_places(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	uint64_t mask = ask->answers->supported & ANY_DATA;
	uint64_t shown, kept = 0;
	bool took = false;

	if (xf_layout_from_cpuid(ask->answers->extents, XF_BITS, &ask->layout) != XF_LAYOUT_OK ||
	    xf_layout_standard_size(&ask->layout, mask) > ask->vm.area_size) {
		no(why, "CPUID leaf 0xD contradicts itself");
		return;
	}
	if (!fresh_guest(ask, XF_PROBE_FULL, why, &cpu, &shown))
		return;
	compose(ask, mask | XF_FPSSE);
	fill(ask, mask);
	if (!taken(ask, &cpu, why, &took) || !get(ask, &cpu, why, &kept))
		return;
	if (!took) {
		no(why, "KVM_SET_XSAVE refuses what it supports");
		return;
	}
	xf_for_each_bit (bit, mask & kept)
		if (!is_filled(ask, bit))
			ask->answers->moved |= xf_mask(bit);
}

/* XCOMP_BV and the reserved bytes are looked at since the fpstate rework (d69c1382e1b7). */
static void ask_header(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	uint64_t shown;

	if (!fresh_guest(ask, XF_PROBE_FULL, why, &cpu, &shown))
		return;
	compose(ask, XF_FPSSE);
	put64(ask, XF_XCOMP_BV_OFFSET, XF_COMPACTED | XF_FPSSE);
	if (!taken(ask, &cpu, why, &ask->answers->takes_xcomp_bv))
		return;
	for (unsigned int i = 0; i < RESERVED_WORDS; i++) {
		bool took = false;

		compose(ask, XF_FPSSE);
		put64(ask, XF_RESERVED_OFFSET + 8 * i, 1);
		if (!taken(ask, &cpu, why, &took))
			return;
		ask->answers->reserved_taken |= (uint32_t)took << i;
	}
}

/*
 * Which bits of MXCSR this CPU has; and whether one that it lacks is refused with
 * x87, SSE and AVX all unused: until the fpstate rework (d69c1382e1b7) it was.
 */
static void ask_mxcsr(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	uint64_t shown;
	uint32_t mask = 0;

	if (!fresh_guest(ask, XF_PROBE_FULL, why, &cpu, &shown))
		return;
	for (unsigned int i = 0; i < 32; i++) {
		bool took = false;

		compose(ask, XF_FPSSE);
		put32(ask, XF_MXCSR_OFFSET, 1u << i);
		if (!taken(ask, &cpu, why, &took))
			return;
		mask |= (uint32_t)took << i;
	}
	compose(ask, 0);
	put32(ask, XF_MXCSR_OFFSET, ~mask);
	if (taken(ask, &cpu, why, &ask->answers->idle_mxcsr_taken))
		ask->answers->mxcsr_mask = mask;
}

/* ---- What needs KVM_RUN ---- */

/* What leaks in practice: what a guest without XSAVE has in use once it has run. */
static void ask_run(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	uint64_t shown;

	if (!fresh_guest(ask, XF_PROBE_BARE, why, &cpu, &shown))
		return;
	/* It was shown more than it was to be: one with no CPUID at all may be shown less. */
	if (shown && !show(ask, &cpu, XF_PROBE_EMPTY, why, &shown))
		return;
	if (xf_probe_run(&ask->vm, &cpu, why) && get(ask, &cpu, why, &ask->answers->after_run))
		ask->answers->run_shown = shown;
}

static bool get_pkru(struct asking *ask, const struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY],
		     unsigned int i)
{
	const struct xf_extent *extent = &ask->layout.at[xf_lowest(XF_PKRU).n];
	uint64_t xstate_bv = 0;

	if (!get(ask, cpu, why, &xstate_bv))
		return false;
	ask->answers->pkru[i].in_use = xstate_bv & XF_PKRU;
	ask->answers->pkru[i].value = get32(ask, extent->offset);
	return true;
}

/*
 * A state without PKRU leaves the vCPU's PKRU as it was, while all other components
 * go to their initial state: KVM keeps it apart (vcpu->arch.pkru). GET may not show
 * it while its bit is clear; after a run it does.
 */
static void ask_pkru(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	const struct xf_extent *extent = &ask->layout.at[xf_lowest(XF_PKRU).n];
	uint64_t shown, used;
	bool took = false;

	if (!(ask->answers->supported & XF_PKRU)) {
		no(why, "this host holds no PKRU");
		return;
	}
	if (!extent->size || extent->offset + extent->size > ask->vm.area_size) {
		no(why, "CPUID leaf 0xD does not tell where PKRU lies");
		return;
	}
	if (!fresh_guest(ask, XF_PROBE_FULL, why, &cpu, &shown))
		return;
	compose(ask, XF_FPSSE | XF_PKRU);
	put32(ask, extent->offset, XF_PROBE_PKRU);
	if (!taken(ask, &cpu, why, &took) || !get_pkru(ask, &cpu, why, 0) ||
	    !put_to_use(ask, &cpu, XF_FPSSE, why, &used) || !get_pkru(ask, &cpu, why, 1))
		return;

	char why_no_run[XF_PROBE_WHY];

	ask->answers->pkru_ran =
		xf_probe_run(&ask->vm, &cpu, why_no_run) && get_pkru(ask, &cpu, why_no_run, 2);
}

/* Tile data that IA32_XFD disarms is cleared first (6.19 and stable series of January 2026). */
static void ask_xfd(struct asking *ask, char why[XF_PROBE_WHY])
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	uint64_t shown, used = 0, kept = 0;
	int answer;

	if (!(ask->answers->supported & XF_XTILEDATA)) {
		no(why, "this host holds no component that IA32_XFD disarms");
		return;
	}
	if (!fresh_guest(ask, XF_PROBE_FULL, why, &cpu, &shown))
		return;
	answer = xf_kvm_set_msr(&cpu, XF_MSR_IA32_XFD, XF_XTILEDATA);
	if (answer) {
		refused(why, "KVM_SET_MSRS of IA32_XFD", answer);
		return;
	}
	if (!put_to_use(ask, &cpu, XF_FPSSE | XF_XTILEDATA, why, &used))
		return;
	answer = xf_kvm_set_msr(&cpu, XF_MSR_IA32_XFD, 0);
	if (answer) {
		refused(why, "KVM_SET_MSRS of IA32_XFD", answer);
		return;
	}
	if (!used)
		no(why, "KVM_SET_XSAVE refuses tile data");
	else if (get(ask, &cpu, why, &kept))
		ask->answers->xfd_kept = kept & XF_XTILEDATA;
}

/* ---- What the module says of itself ---- */

#define MODULE "/sys/module/xferry/parameters/"

/* The line that a file has; false without one. */
static bool read_line(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;

	ssize_t count = read(fd, out, size - 1);

	close(fd);
	out[count > 0 ? count : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return *out;
}

static void read_module(struct xf_probe_answers *answers)
{
	char components[32], trim_get[8];

	if (!read_line(MODULE "mode", answers->module_mode, sizeof(answers->module_mode)) ||
	    !read_line(MODULE "components", components, sizeof(components)) ||
	    !read_line(MODULE "trim_get", trim_get, sizeof(trim_get)))
		return;
	answers->module_loaded = true;
	answers->module_components = strtoull(components, NULL, 16);
	answers->module_trim_get = *trim_get == 'Y';
}

/* ---- All of them ---- */

static const struct {
	void (*ask)(struct asking *ask, char why[XF_PROBE_WHY]);
	size_t why; /* of struct xf_probe_answers */
} questions[] = {
	{ ask_guests, offsetof(struct xf_probe_answers, why_no_guest) },
	{ ask_places, offsetof(struct xf_probe_answers, why_no_places) },
	{ ask_header, offsetof(struct xf_probe_answers, why_no_header) },
	{ ask_mxcsr, offsetof(struct xf_probe_answers, why_no_mxcsr) },
	{ ask_run, offsetof(struct xf_probe_answers, why_no_run) },
	{ ask_pkru, offsetof(struct xf_probe_answers, why_no_pkru) },
	{ ask_xfd, offsetof(struct xf_probe_answers, why_no_xfd) },
};

/* CPUID leaves 0x80000002 to 4 have the CPU's name, with blanks around it. KVM may hide it. */
static void read_name(char out[49])
{
	char name[49] = "";

	for (unsigned int i = 0; i < 3; i++) {
		unsigned int regs[4];

		if (!__get_cpuid(0x80000002 + i, &regs[0], &regs[1], &regs[2], &regs[3]))
			return;
		memcpy(name + 16 * i, regs, sizeof(regs));
	}

	const char *begin = name + strspn(name, " ");
	size_t length = strlen(begin);

	while (length && begin[length - 1] == ' ')
		length--;
	memcpy(out, begin, length);
	out[length] = '\0';
}

static struct xf_error *begin(struct asking *ask)
{
	struct xf_probe_answers *answers = ask->answers;
	struct utsname system;

	if (uname(&system) == 0)
		snprintf(answers->kernel, sizeof(answers->kernel), "%.64s", system.release);
	XF_TRY(xf_kvm_open(&ask->kvm));
	/* For this process only. KVM_GET_SUPPORTED_CPUID shows what is permitted. */
	answers->amx_permission = xf_kvm_permit(xf_lowest(XF_XTILEDATA));
	XF_TRY(xf_kvm_supported_cpuid(&ask->kvm, &ask->supported));
	read_name(answers->cpu);
	read_module(answers);
	answers->supported = xf_kvm_cpuid_shown(&ask->supported);
	xf_kvm_cpuid_extents(&ask->supported, answers->extents);

	struct xf_error *err = NULL;

	if (!xf_kvm_capability(ask->kvm.fd, KVM_CAP_XSAVE))
		no(answers->why_no_vm, "this KVM has no KVM_CAP_XSAVE");
	else if ((err = xf_kvm_create_vm(&ask->kvm, &ask->vm)))
		failed(ask, answers->why_no_vm, err);
	else
		answers->area_size = ask->vm.area_size;
	return NULL;
}

static void end(struct asking **ask)
{
	if (!*ask)
		return;
	xf_kvm_close_vm(&(*ask)->vm);
	xf_kvm_close(&(*ask)->kvm);
	free(*ask);
}

struct xf_error *xf_probe_ask(struct xf_probe_answers *out)
{
	XF_AUTO(end) struct asking *ask = calloc(1, sizeof(*ask));
	XF_AUTO_FREE struct xf_probe_answers *answers = calloc(1, sizeof(*answers));

	if (!ask || !answers) {
		free(xf_take(ask)); /* nothing is open yet */
		return xf_error_memory();
	}
	ask->kvm.fd = -1;
	ask->vm.fd = -1;
	ask->answers = answers;
	XF_TRY(begin(ask));
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		char *why = (char *)answers + questions[i].why;

		if (*answers->why_no_vm)
			no(why, "%s", answers->why_no_vm);
		else
			questions[i].ask(ask, why);
	}
	*out = *answers;
	return NULL;
}

/* Not even what SET does could be learned, and the reason is not KVM's. */
static struct xf_error *check_shortage(const struct xf_probe_answers *answers,
				       const struct xf_host *host)
{
	if (!answers->short_of_something || !xf_host_lacks(host, "set"))
		return NULL;
	return xf_error_new(XF_ERR_IO, NULL, "%s",
			    *answers->why_no_vm ? answers->why_no_vm : answers->why_no_guest);
}

struct xf_error *xf_host_probe(struct xf_host **out)
{
	XF_AUTO_FREE struct xf_probe_answers *answers = malloc(sizeof(*answers));
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;

	if (!answers)
		return xf_error_memory();
	XF_TRY(xf_probe_ask(answers));
	XF_TRY(xf_probe_conclude(answers, &host));
	XF_TRY(check_shortage(answers, host));
	*out = xf_take(host);
	return NULL;
}
