/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command under ptrace, counts what it asks of the system, and lets one call go wrong.
 *
 *	inject LOG record -- COMMAND...
 *	inject LOG TASK CALL HOW [WHICH] -- COMMAND...
 *
 * Counted is from the program's entry point on, once its libraries are loaded; of programs that
 * it starts, from their beginning. TASK 0 is the program itself, others are its threads and
 * programs in the order in which they came; CALL counts in each of them from 0. HOW:
 *
 *	fail		with the WHICH-th error that such a call can give, once
 *	fail-on		that call and all later ones of the same kind
 *	dead		it and all later calls that need the disk, with EIO
 *	short		reads or writes half of what was asked for, or one byte if WHICH is 1
 *	kill-before	SIGKILL before it is carried out
 *	kill-after
 *
 * LOG gets "did NAME ERROR" when it came to that, and "exit STATUS" or "signal NUMBER". With
 * `record`, all calls, "call TASK CALL NAME ERRORS SHORT" (how many errors it can give,
 * whether it can be short), and what they changed (changes.h). With INJECT_RECORD
 * in the environment this is written down beside a fault, too; with INJECT_NO_TMPFILE no file
 * system has files without a name.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "changes.h"

#ifndef __x86_64__
int main(void)
{
	puts("skipped: calls are changed in registers of x86-64");
	return 77;
}
#else

#define MAX_TASKS 64
#define SKIPPED 77
#define STOPPED_BY_CALL (SIGTRAP | 0x80)

enum how { RECORD, FAIL, FAIL_ON, DEAD, SHORT, KILL_BEFORE, KILL_AFTER };

static const char *const hows[] = { "record", "fail",	     "fail-on",	  "dead",
				    "short",  "kill-before", "kill-after" };

struct task {
	pid_t pid;
	size_t calls;	  /* how many have begun */
	bool counted;	  /* its calls are looked at */
	bool failing;	  /* the call under way is not carried out, or its result is changed */
	bool carried_out; /* and carried out all the same */
	bool dies;	  /* once the call under way has ended */
	int64_t result;	  /* what is made of it */
	int changed;	  /* which argument is not what the program gave: it must get it back */
	unsigned long long given;
	struct call call;
};

struct fault {
	enum how how;
	size_t task, call, which;
	bool reached;
	long number; /* of the kind that fails from then on */
	int error;
};

static struct task tasks[MAX_TASKS];
static size_t task_count;
static struct fault fault;
static FILE *log_file;
static bool recording;

/* ---- Tasks ---- */

static struct task *task_of(pid_t pid)
{
	for (size_t i = 0; i < task_count; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	if (task_count == MAX_TASKS)
		errx(1, "more than %d tasks", MAX_TASKS);
	tasks[task_count] = (struct task){ .pid = pid, .counted = true };
	return &tasks[task_count++];
}

/* ---- Faults ---- */

/* The n-th error of that kind of call, in a row that has no end. */
static int error_of(const struct kind *kind, size_t which)
{
	size_t count = 0;

	while (count < MAX_ERRORS && kind->errors[count])
		count++;
	return kind->errors[which % count];
}

static size_t count_errors(const struct kind *kind)
{
	size_t count = 0;

	while (kind && count < MAX_ERRORS && kind->errors[count])
		count++;
	return count;
}

static bool is_of_a_disk(const struct call *call, const struct kind *kind)
{
	char path[64];
	struct stat st;

	if (!kind || !kind->by_disk)
		return false;
	if (!kind->by_fd)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->pid, (int)call->arguments[0]);
	return call->arguments[0] > STDERR_FILENO && stat(path, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static void tell(const struct kind *kind, const char *what)
{
	fprintf(log_file, "did %s %s\n", kind ? kind->name : "another", what);
}

/* One that was killed meanwhile has none any more. */
static void get_registers(const struct task *task, struct user_regs_struct *registers)
{
	memset(registers, 0, sizeof(*registers));
	if (ptrace(PTRACE_GETREGS, task->pid, NULL, registers) < 0 && errno != ESRCH)
		err(1, "PTRACE_GETREGS");
}

static void set_registers(const struct task *task, struct user_regs_struct *registers)
{
	if (ptrace(PTRACE_SETREGS, task->pid, NULL, registers) < 0 && errno != ESRCH)
		err(1, "PTRACE_SETREGS");
}

static unsigned long long *argument(struct user_regs_struct *registers, int n)
{
	unsigned long long *const all[] = { &registers->rdi, &registers->rsi, &registers->rdx,
					    &registers->r10, &registers->r8,  &registers->r9 };

	return all[n - 1];
}

/* For the system alone. */
static void change_argument(struct task *task, int n, unsigned long long value)
{
	struct user_regs_struct registers;

	get_registers(task, &registers);
	task->changed = n;
	task->given = *argument(&registers, n);
	*argument(&registers, n) = value;
	set_registers(task, &registers);
}

static void let_fail(struct task *task, const struct kind *kind, int error)
{
	struct user_regs_struct registers;

	/* It tells of an error by changing nothing, which asking for 0 does. */
	if (kind->number == SYS_brk) {
		change_argument(task, 1, 0);
		return;
	}
	task->failing = true;
	task->result = -error;
	task->carried_out = kind->carried_out;
	if (kind->carried_out)
		return;
	get_registers(task, &registers);
	registers.orig_rax = (unsigned long long)-1;
	set_registers(task, &registers);
}

static void shorten(struct task *task, const struct kind *kind)
{
	if (!kind || !kind->size_argument)
		return;

	uint64_t size = task->call.arguments[kind->size_argument - 1];

	if (size < 2)
		return;
	change_argument(task, kind->size_argument, fault.which ? 1 : size / 2);
	tell(kind, "short");
}

/* Nothing gives these for ever. */
static bool passes(int error)
{
	return error == EINTR || error == EAGAIN;
}

static void strike(struct task *task, const struct kind *kind)
{
	if ((fault.how == FAIL || fault.how == FAIL_ON) &&
	    (!kind || (fault.how == FAIL_ON && passes(error_of(kind, fault.which)))))
		return;
	fault.reached = true;
	switch (fault.how) {
	case RECORD:
		break;
	case FAIL:
	case FAIL_ON:
		fault.number = kind->number;
		fault.error = error_of(kind, fault.which);
		let_fail(task, kind, fault.error);
		tell(kind, error_name(fault.error));
		break;
	case DEAD:
		fault.error = EIO;
		tell(kind, "dead");
		break;
	case SHORT:
		shorten(task, kind);
		break;
	case KILL_BEFORE:
		kill(task->pid, SIGKILL);
		tell(kind, "killed");
		break;
	case KILL_AFTER:
		task->dies = true;
		break;
	}
}

static bool fails_too(const struct task *task, const struct kind *kind)
{
	if (!fault.reached || !kind || task->failing || task->changed)
		return false;
	return (fault.how == FAIL_ON && kind->number == fault.number) ||
	       (fault.how == DEAD && is_of_a_disk(&task->call, kind));
}

/* ---- Calls ---- */

/* As on a file system that has none. */
static bool is_without_tmpfile(const struct call *call)
{
	return call->number == SYS_openat && (call->arguments[2] & O_TMPFILE) == O_TMPFILE &&
	       getenv("INJECT_NO_TMPFILE");
}

static void call_begins(struct task *task, const struct __ptrace_syscall_info *info)
{
	const struct kind *kind = kind_of((long)info->entry.nr);
	size_t index = (size_t)(task - tasks), n = task->calls++;

	task->call.pid = task->pid;
	task->call.number = (long)info->entry.nr;
	for (int i = 0; i < 6; i++)
		task->call.arguments[i] = info->entry.args[i];
	task->failing = task->carried_out = false;
	if (recording) {
		change_begins(&task->call);
		fprintf(log_file, "call %zu %zu %s %zu %d\n", index, n,
			kind ? kind->name : "another", count_errors(kind),
			kind && kind->size_argument);
	}
	if (fault.how != RECORD && index == fault.task && n == fault.call)
		strike(task, kind);
	if (fails_too(task, kind))
		let_fail(task, kind, fault.error);
	else if (is_without_tmpfile(&task->call) && !task->failing)
		let_fail(task, kind, EOPNOTSUPP);
}

/* What the program gets to see. */
static void set_outcome(struct task *task)
{
	struct user_regs_struct registers;

	get_registers(task, &registers);
	if (task->failing && (!task->carried_out || (int64_t)registers.rax >= 0))
		registers.rax = (unsigned long long)task->result;
	if (task->changed)
		*argument(&registers, task->changed) = task->given;
	set_registers(task, &registers);
	task->failing = false;
	task->changed = 0;
}

static void call_ends(struct task *task, const struct __ptrace_syscall_info *info)
{
	task->call.result = info->exit.rval;
	if (recording && info->exit.rval >= 0 && (!task->failing || task->carried_out))
		change_done(&task->call, log_file);
	if (task->failing || task->changed)
		set_outcome(task);
	if (task->dies) {
		kill(task->pid, SIGKILL);
		tell(kind_of(task->call.number), "killed");
	}
}

static void at_call(struct task *task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof(info), &info) <= 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		call_begins(task, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		call_ends(task, &info);
}

/* ---- The beginning ---- */

/* Where the dynamic loader goes when its work is done. */
static unsigned long entry_of(pid_t pid)
{
	char path[64];
	Elf64_auxv_t entry;
	unsigned long found = 0;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, &entry, sizeof(entry)) == (ssize_t)sizeof(entry))
		if (entry.a_type == AT_ENTRY)
			found = entry.a_un.a_val;
	close(fd);
	if (!found)
		errx(1, "the program has no entry point");
	return found;
}

static void await_stop(pid_t pid, int (*is_due)(int status))
{
	int status;

	do {
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			errx(1, "the command has not begun");
		if (is_due(status))
			return;
	} while (ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
}

static int is_exec(int status)
{
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
}

static int is_trap(int status)
{
	return WSTOPSIG(status) == SIGTRAP;
}

/* Runs it as far as its entry point, where a breakpoint stops it. */
static void go_to_entry(pid_t pid)
{
	struct user_regs_struct registers;
	struct task *task = task_of(pid);

	await_stop(pid, is_exec);

	unsigned long entry = entry_of(pid);
	long word = ptrace(PTRACE_PEEKTEXT, pid, entry, NULL);

	ptrace(PTRACE_POKETEXT, pid, entry, (word & ~0xffL) | 0xcc);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	await_stop(pid, is_trap);
	ptrace(PTRACE_POKETEXT, pid, entry, word);
	get_registers(task, &registers);
	registers.rip = entry;
	set_registers(task, &registers);
}

static pid_t start(char **command)
{
	pid_t pid = fork();
	int status;
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
		       PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(SKIPPED);
		raise(SIGSTOP);
		execv(command[0], command);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		puts("skipped: nothing may be traced here");
		exit(SKIPPED);
	}
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0)
		err(1, "PTRACE_SETOPTIONS");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return pid;
}

/* ---- To the end ---- */

/* What a task is to be told of when it goes on: a signal of its own. */
static int at_stop(struct task *task, int status)
{
	int signal = WSTOPSIG(status);

	if (signal == STOPPED_BY_CALL) {
		at_call(task);
		return 0;
	}
	/* An event, or a new task's first stop. */
	return status >> 16 || signal == SIGSTOP ? 0 : signal;
}

static void run_to_end(pid_t main_pid, int *main_status)
{
	int status;

	ptrace(PTRACE_SYSCALL, main_pid, NULL, NULL);
	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			return;
		if (!WIFSTOPPED(status)) {
			if (pid == main_pid)
				*main_status = status;
			continue;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, at_stop(task_of(pid), status));
	}
}

static void read_fault(char **words)
{
	size_t how = 0;

	if (strcmp(words[0], "record") == 0)
		return;
	while (how < sizeof(hows) / sizeof(hows[0]) && strcmp(words[2], hows[how]) != 0)
		how++;
	if (how == sizeof(hows) / sizeof(hows[0]))
		errx(2, "%s?", words[2]);
	fault = (struct fault){
		.how = (enum how)how,
		.task = strtoul(words[0], NULL, 10),
		.call = strtoul(words[1], NULL, 10),
		.which = strtoul(words[3], NULL, 10),
	};
}

int main(int argc, char **argv)
{
	int status = 0, at = 2;

	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	if (at + 1 >= argc || (at != 3 && at != 6))
		errx(2, "usage: inject LOG (record | TASK CALL HOW WHICH) -- COMMAND...");
	log_file = fopen(argv[1], "we");
	if (!log_file)
		err(2, "%s", argv[1]);
	read_fault(argv + 2);
	recording = fault.how == RECORD || getenv("INJECT_RECORD");

	pid_t pid = start(argv + at + 1);

	go_to_entry(pid);
	run_to_end(pid, &status);
	if (WIFSIGNALED(status))
		fprintf(log_file, "signal %d\n", WTERMSIG(status));
	else
		fprintf(log_file, "exit %d\n", WEXITSTATUS(status));
	return fclose(log_file) == 0 ? 0 : 1;
}
#endif
