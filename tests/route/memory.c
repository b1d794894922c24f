/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_route when memory runs out: an error, and nothing given out. */
#include "tests/report/failing.h"
#include "tests/route/hosts.h"

static const struct xf_evidence guest = KNOWN(0);

static void without_memory(unsigned int n, void *data)
{
	const struct xf_host *const hosts[] = { &leaky, &strict, &fixed, &fixed_no_pku };
	struct xf_journey *journey = NULL;
	struct xf_error *err = xf_route(data, 0, &guest, hosts, COUNT(hosts), &journey);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		assert_null(journey);
		return;
	}
	assert_fine(err);
	xf_journey_free(journey);
}

static void no_memory(void **unused)
{
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, PKU_CPU, XF_X87),
				   vcpu_at(1, 3100, XF_FPSSE, XF_X87) };
	struct xf_state *state = synthetic_state(vcpus, COUNT(vcpus));

	(void)unused;
	assert_true(fail_each_allocation(without_memory, state) > 10);
	synthetic_free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_memory) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
