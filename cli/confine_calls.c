/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A filter of system calls that names those which nothing here ever makes; the others, which
 * libraries and sanitizers choose between as they like, pass. What is refused is EPERM.
 */
#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "cli/confine.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define MACHINE AUDIT_ARCH_X86_64
#define X32_CALLS 0x40000000u /* the same kernel's other numbers */
#elif defined(__aarch64__) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__s390x__)
#define MACHINE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define MACHINE AUDIT_ARCH_PPC64LE
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#endif

#ifdef __has_feature
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define LOOKS_INTO_ITSELF /* for leaks, by ptrace */
#endif

#ifdef MACHINE

/* Numbers that a machine or the headers do not have are left out. */
static const uint16_t never[] = {
	/* the network: what is connected was handed to us so */
	SYS_socket,
	SYS_connect,
	SYS_bind,
	SYS_listen,
#ifdef SYS_accept
	SYS_accept,
#endif
	SYS_accept4,
#ifdef SYS_socketcall
	SYS_socketcall,
#endif
/* other processes */
#ifndef LOOKS_INTO_ITSELF
	SYS_ptrace,
	SYS_process_vm_readv,
#endif
	SYS_process_vm_writev,
	SYS_kcmp,
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
	SYS_process_madvise,
#endif
	/* the tree of files, and views of it */
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_unshare,
	SYS_setns,
#ifdef SYS_open_tree
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
#endif
#ifdef SYS_mount_setattr
	SYS_mount_setattr,
#endif
	SYS_open_by_handle_at,
	SYS_swapon,
	SYS_swapoff,
	SYS_quotactl,
	SYS_acct,
	/* the kernel */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
#ifdef SYS_kexec_load
	SYS_kexec_load,
#endif
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	SYS_reboot,
	SYS_syslog,
	SYS_bpf,
	SYS_perf_event_open,
#ifdef SYS_userfaultfd
	SYS_userfaultfd,
#endif
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
#endif
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_sethostname,
	SYS_setdomainname,
#ifdef SYS_iopl
	SYS_iopl,
	SYS_ioperm,
#endif
	/* who we are */
	SYS_setuid,
	SYS_setgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_capset,
	SYS_mknodat,
#ifdef SYS_mknod
	SYS_mknod,
#endif
};

/* Of what Landlock does not know, and what it does not where there is none. */
static const uint16_t change_files[] = {
#ifdef SYS_chmod
	SYS_chmod,     SYS_chown,	SYS_lchown,	  SYS_unlink,	    SYS_rename,
	SYS_link,      SYS_symlink,	SYS_mkdir,	  SYS_rmdir,
#endif
#ifdef SYS_utime
	SYS_utime,
#endif
#ifdef SYS_utimes
	SYS_utimes,
#endif
#ifdef SYS_futimesat
	SYS_futimesat,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
	SYS_fchmod,    SYS_fchmodat,
#ifdef SYS_fchmodat2
	SYS_fchmodat2,
#endif
	SYS_fchown,    SYS_fchownat,	SYS_utimensat,	  SYS_setxattr,	    SYS_lsetxattr,
	SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_unlinkat,
	SYS_renameat2, SYS_linkat,	SYS_symlinkat,	  SYS_mkdirat,	    SYS_truncate,
};

static const uint16_t execute[] = { SYS_execve, SYS_execveat };

/* What is put into a terminal so is a line that somebody's shell takes. */
static const uint32_t terminal_requests[] = { TIOCSTI, TIOCLINUX };

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
/* Two steps for each call that is refused; before them the machine, behind them ioctl. */
#define STEPS_MAX (16 + 2 * (LENGTH(never) + LENGTH(change_files) + LENGTH(execute)))

struct program {
	struct sock_filter steps[STEPS_MAX];
	unsigned short count;
};

static void step(struct program *program, uint16_t code, uint32_t operand, uint8_t yes, uint8_t no)
{
	program->steps[program->count++] = (struct sock_filter){ code, yes, no, operand };
}

static void load(struct program *program, size_t offset)
{
	step(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Where what was loaded compares so. */
static void refuse_if(struct program *program, uint16_t how, uint32_t value)
{
	step(program, BPF_JMP | how | BPF_K, value, 0, 1);
	step(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static void refuse_calls(struct program *program, const uint16_t *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refuse_if(program, BPF_JEQ, calls[i]);
}

/* A program for another machine is not ours, and would mean other calls by these numbers. */
static void refuse_other_machines(struct program *program)
{
	load(program, offsetof(struct seccomp_data, arch));
	step(program, BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
	step(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
	load(program, offsetof(struct seccomp_data, nr));
#ifdef X32_CALLS
	refuse_if(program, BPF_JGE, X32_CALLS);
#endif
}

/* The kernel looks at the request's low half only. */
static void refuse_terminal_requests(struct program *program)
{
	const size_t low = __BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0;

	step(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0);
	step(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	load(program, offsetof(struct seccomp_data, args[1]) + low);
	for (size_t i = 0; i < LENGTH(terminal_requests); i++)
		refuse_if(program, BPF_JEQ, terminal_requests[i]);
	step(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

bool confine_system_calls(unsigned int may)
{
	struct program program = { .count = 0 };

	refuse_other_machines(&program);
	refuse_calls(&program, never, LENGTH(never));
	if (!(may & CALLS_CHANGE_FILES))
		refuse_calls(&program, change_files, LENGTH(change_files));
	if (!(may & CALLS_EXECUTE))
		refuse_calls(&program, execute, LENGTH(execute));
	refuse_terminal_requests(&program);

	struct sock_fprog filter = { program.count, program.steps };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#else

bool confine_system_calls(unsigned int may)
{
	(void)may;
	return false;
}

#endif
