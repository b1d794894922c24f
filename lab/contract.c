/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tries the contract, docs/contract.md, on the KVM of this machine: one line of JSON,
 * a clause a key. Runs anywhere, also as the only program of an initramfs.
 *
 *	contract [CLAUSE…]
 *
 * Exit status: 0 it was tried, whatever came out; 8 no KVM to try it on; 16 usage.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lab/contract.h"

static const struct {
	const char *id;
	struct verdict (*try)(struct bench *bench);
} clauses[] = {
	{ "G1", clause_G1 },   { "G2", clause_G2 },   { "G3", clause_G3 },   { "G4", clause_G4 },
	{ "G5", clause_G5 },   { "G6", clause_G6 },   { "G7", clause_G7 },   { "G8", clause_G8 },
	{ "G9", clause_G9 },   { "S1", clause_S1 },   { "S2", clause_S2 },   { "S3", clause_S3 },
	{ "S4", clause_S4 },   { "S5", clause_S5 },   { "S6", clause_S6 },   { "S7", clause_S7 },
	{ "S8", clause_S8 },   { "S9", clause_S9 },   { "S10", clause_S10 }, { "S11", clause_S11 },
	{ "S12", clause_S12 }, { "S13", clause_S13 }, { "C1", clause_C1 },   { "C2", clause_C2 },
	{ "C3", clause_C3 },   { "C4", clause_C4 },   { "X1", clause_X1 },   { "X2", clause_X2 },
	{ "X3", clause_X3 },   { "X4", clause_X4 },   { "H1", clause_H1 },   { "H2", clause_H2 },
	{ "H3", clause_H3 },   { "H4", clause_H4 },   { "H5", clause_H5 },   { "H6", clause_H6 },
	{ "H7", clause_H7 },   { "H8", clause_H8 },
};

#define CLAUSES (sizeof(clauses) / sizeof(clauses[0]))

/* MXCSR_MASK as the CPU tells it; 0 stands for the first CPUs' (SDM vol. 1, 11.6.6). */
static uint32_t cpu_mxcsr_mask(void)
{
	_Alignas(16) unsigned char image[512] = { 0 };
	uint32_t mask;

	__asm__ volatile("fxsave %0" : "=m"(image));
	memcpy(&mask, image + 28, sizeof(mask));
	return mask ? mask : 0xffbf;
}

/* A module that says other than it does is taken at its word: the clauses then show it. */
static struct xf_error *find_hook(struct bench *bench)
{
	struct xf_host *host = NULL;

	XF_TRY(xf_host_probe(&host));
	bench->hook_set = host->kvm.hook_set;
	bench->hook_get = host->kvm.hook_get;
	bench->hook_observes = host->module && strstr(host->module, "mode=observe");
	bench->hook_pkru = host->kvm.hook_pkru;
	if (host->kvm.unknown & XF_UNKNOWN_MODULE && host->module && !bench->hook_observes)
		bench->hook_set = XF_ALL;
	xf_host_free(host);
	return NULL;
}

static struct xf_error *set_up(struct bench *bench)
{
	struct xf_kvm_cpuid supported;
	struct xf_cpuid_regs extents[XF_BITS];

	XF_TRY(xf_kvm_open(&bench->kvm));
	XF_TRY(xf_kvm_supported_cpuid(&bench->kvm, &supported));
	XF_TRY(xf_kvm_create_vm(&bench->kvm, &bench->vm));
	bench->host = xf_kvm_cpuid_shown(&supported) | XF_FPSSE;
	bench->has_xsave = xf_kvm_cpuid_shown(&supported) != 0;
	bench->mxcsr_mask = cpu_mxcsr_mask();
	bench->guest[GUEST_ALL] = supported;
	xf_kvm_cpuid_bare(&supported, &bench->guest[GUEST_BARE]);
	xf_kvm_cpuid_show(&supported, XF_FPSSE, &bench->guest[GUEST_LITTLE]);
	XF_TRY(find_hook(bench));
	xf_kvm_cpuid_extents(&supported, extents);
	if (xf_layout_from_cpuid(extents, XF_BITS, &bench->layout) != XF_LAYOUT_OK)
		return xf_error_new(XF_ERR_IO, "/dev/kvm", "CPUID leaf 0xD makes no sense");
	return NULL;
}

static bool wanted(const char *id, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], id) == 0)
			return true;
	return argc < 2;
}

static bool is_clause(const char *word)
{
	for (size_t i = 0; i < CLAUSES; i++)
		if (strcmp(clauses[i].id, word) == 0)
			return true;
	return false;
}

static void put_verdict(struct json_object *to, const char *id, struct verdict verdict)
{
	static const char *const words[] = { "holds", "broken", "untried" };
	struct json_object *entry = json_object_new_object();

	json_object_object_add(entry, "verdict", json_object_new_string(words[verdict.is]));
	if (verdict.why)
		json_object_object_add(entry, "why", json_object_new_string(verdict.why));
	json_object_object_add(to, id, entry);
}

int main(int argc, char **argv)
{
	static struct bench bench = { .kvm = XF_KVM_CLOSED, .vm = XF_KVM_CLOSED };

	for (int i = 1; i < argc; i++)
		if (!is_clause(argv[i])) {
			fprintf(stderr, "contract: there is no clause '%s'\n", argv[i]);
			return 16;
		}

	struct xf_error *err = set_up(&bench);

	if (err) {
		fprintf(stderr, "contract: %s\n", err->text);
		xf_error_free(err);
		return 8;
	}

	struct json_object *verdicts = json_object_new_object();

	for (size_t i = 0; i < CLAUSES; i++)
		if (wanted(clauses[i].id, argc, argv))
			put_verdict(verdicts, clauses[i].id, clauses[i].try(&bench));
	puts(json_object_to_json_string_ext(verdicts, JSON_C_TO_STRING_PLAIN));
	json_object_put(verdicts);
	xf_kvm_close_vm(&bench.vm);
	xf_kvm_close(&bench.kvm);
	return fflush(stdout) == 0 ? 0 : 8;
}
