/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM_RUN with a time limit. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
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

/* Enough for a thread that was kicked to be done, however busy the machine is. */
#define END_LIMIT_MS 1000

struct running {
	int fd;
	int answer;
};

static void *run(void *argument)
{
	struct running *running = argument;

	running->answer = ioctl(running->fd, KVM_RUN, NULL) < 0 ? errno : 0;
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

/* With glibc, whoever sets the clock changes nothing of the time to wait; other libcs cannot. */
#ifdef __GLIBC__
#define JOIN_CLOCK CLOCK_MONOTONIC
#else
#define JOIN_CLOCK CLOCK_REALTIME
#define pthread_clockjoin_np(thread, value, clock, when) pthread_timedjoin_np(thread, value, when)
#endif

/* Whether the thread was done in time. */
static bool join(pthread_t thread, unsigned int milliseconds)
{
	struct timespec when;

	clock_gettime(JOIN_CLOCK, &when);
	when.tv_sec += milliseconds / 1000;
	when.tv_nsec += milliseconds % 1000 * 1000000L;
	if (when.tv_nsec >= 1000000000L) {
		when.tv_sec++;
		when.tv_nsec -= 1000000000L;
	}
	return pthread_clockjoin_np(thread, NULL, JOIN_CLOCK, &when) == 0;
}

/* The thread does not come back: the vCPU is left to it, open and mapped, and is ours no more. */
static int give_up(struct xf_kvm_cpu *cpu, pthread_t thread)
{
	pthread_detach(thread);
	cpu->fd = -1;
	cpu->run = NULL;
	return ETIMEDOUT;
}

int xf_kvm_run(struct xf_kvm_cpu *cpu, unsigned int milliseconds)
{
	struct running *running = malloc(sizeof(*running));
	pthread_t thread;
	int answer = running ? map_run(cpu) : ENOMEM;
	bool kicked = false;

	if (!answer)
		answer = let_kick_through(cpu);
	if (!answer) {
		running->fd = cpu->fd;
		answer = start(&thread, running);
	}
	if (answer) {
		free(running);
		return answer;
	}
	if (!join(thread, milliseconds)) {
		kicked = true;
		pthread_kill(thread, KICK);
		if (!join(thread, END_LIMIT_MS))
			return give_up(cpu, thread);
	}
	answer = running->answer;
	free(running);
	return kicked && answer == EINTR ? ETIMEDOUT : answer;
}
