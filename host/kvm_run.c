/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM_RUN with a time limit. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "host/kvm.h"

/*
 * The signal that ends KVM_RUN. It is blocked in the thread but for the time of
 * KVM_RUN itself (KVM_SET_SIGNAL_MASK), so it never reaches a handler, and it goes
 * when the thread does.
 */
#define KICK SIGRTMAX

struct running {
	const struct xf_kvm_cpu *cpu;
	int answer;
};

static void *run(void *argument)
{
	struct running *running = argument;

	running->answer = ioctl(running->cpu->fd, KVM_RUN, NULL) < 0 ? errno : 0;
	return NULL;
}

/* All signals but KICK are blocked in KVM_RUN; KVM counts 8 bytes of them. */
static int let_kick_through(const struct xf_kvm_cpu *cpu)
{
	const struct {
		uint32_t len;
		uint64_t signals;
	} __attribute__((packed)) mask = { 8, ~((uint64_t)1 << (KICK - 1)) };

	_Static_assert(offsetof(struct kvm_signal_mask, sigset) == sizeof(mask.len),
		       "it is a struct kvm_signal_mask");
	return ioctl(cpu->fd, KVM_SET_SIGNAL_MASK, &mask) < 0 ? errno : 0;
}

static int map_run(struct xf_kvm_cpu *cpu)
{
	if (cpu->run)
		return 0;

	void *map = mmap(NULL, cpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);

	if (map == MAP_FAILED)
		return errno;
	cpu->run = map;
	return 0;
}

/* The thread shall take no signal that is meant for the caller's. */
static int start(pthread_t *thread, struct running *running)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);

	int answer = pthread_create(thread, NULL, run, running);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return answer;
}

static struct timespec in(unsigned int milliseconds)
{
	struct timespec when;

	clock_gettime(CLOCK_REALTIME, &when);
	when.tv_sec += milliseconds / 1000;
	when.tv_nsec += milliseconds % 1000 * 1000000L;
	if (when.tv_nsec >= 1000000000L) {
		when.tv_sec++;
		when.tv_nsec -= 1000000000L;
	}
	return when;
}

int xf_kvm_run(struct xf_kvm_cpu *cpu, unsigned int milliseconds)
{
	struct running running = { .cpu = cpu };
	pthread_t thread;
	int answer = map_run(cpu);

	if (!answer)
		answer = let_kick_through(cpu);
	if (!answer)
		answer = start(&thread, &running);
	if (answer)
		return answer;

	const struct timespec limit = in(milliseconds);

	if (pthread_timedjoin_np(thread, NULL, &limit) == 0)
		return running.answer;
	pthread_kill(thread, KICK);
	pthread_join(thread, NULL);
	return running.answer == EINTR ? ETIMEDOUT : running.answer;
}
