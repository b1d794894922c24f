/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/component.h"
#include "guard/log.h"
#include "guard/report.h"
#include "guard/settings.h"

/* Flags of a record: what has been said of it. */
#define SAID_SET 1u
#define SAID_GET 2u
#define SAID_OFF 4u

#define NAMES_MAX 200

static struct {
	_Atomic pid_t pid; /* the process that found it; 0: nothing was found */
	_Atomic uint32_t vcpus, set, get;
	_Atomic uint64_t superfluous, dropped;
} sum;

static atomic_bool settings_said, unseen_said;

const char *xf_report_error(int error)
{
	/* strerrorname_np is new in glibc 2.32. */
	static const char *const names[] = {
#define NAME(error) [error] = #error
		[0] = "0",
		NAME(EINVAL),
		NAME(EFAULT),
		NAME(ENOMEM),
		NAME(EIO),
		NAME(EINTR),
		NAME(EBADF),
		NAME(ENOTTY),
		NAME(EPERM),
		NAME(E2BIG),
		/* Of opening a log. */
		NAME(EACCES),
		NAME(ENOENT),
		NAME(ENOTDIR),
		NAME(EISDIR),
		NAME(EROFS),
		NAME(ENOSPC),
		NAME(EDQUOT),
		NAME(ENXIO),
		NAME(ENODEV),
		NAME(ELOOP),
		NAME(EMFILE),
		NAME(ENFILE),
		NAME(ETXTBSY),
		NAME(ENAMETOOLONG),
#undef NAME
	};
	size_t count = sizeof(names) / sizeof(names[0]);

	return error >= 0 && (size_t)error < count && names[error] ? names[error] : "error";
}

/* "AVX PKRU"; where the names are too many, the last is "...". */
static void name_components(uint64_t mask, char out[NAMES_MAX])
{
	size_t at = 0;

	out[0] = '\0';
	xf_for_each_bit (bit, mask) {
		const struct xf_component *row = xf_component(bit);
		const char *space = at ? " " : "";
		int length;

		if (at > NAMES_MAX - 24) {
			snprintf(out + at, NAMES_MAX - at, " ...");
			return;
		}
		if (row)
			length = snprintf(out + at, NAMES_MAX - at, "%s%s", space, row->label);
		else
			length = snprintf(out + at, NAMES_MAX - at, "%sbit %u", space, bit.n);
		at += length > 0 ? (size_t)length : 0;
	}
}

/* A child process that finds something begins to count anew. */
static void begin_sum(void)
{
	pid_t pid = getpid(), before = atomic_exchange(&sum.pid, pid);

	/* 0: all is 0 yet, and another thread may be adding to it. */
	if (before == pid || before == 0)
		return;
	atomic_store(&sum.vcpus, 0);
	atomic_store(&sum.set, 0);
	atomic_store(&sum.get, 0);
	atomic_store(&sum.superfluous, 0);
	atomic_store(&sum.dropped, 0);
}

void xf_report_found(struct xf_record *record, const struct xf_found *found)
{
	uint32_t said = found->set ? SAID_SET : SAID_GET;
	uint32_t before = atomic_fetch_or(&record->flags, said);
	char names[NAMES_MAX];

	begin_sum();
	if (!(before & (SAID_SET | SAID_GET)))
		atomic_fetch_add(&sum.vcpus, 1);
	atomic_fetch_add(found->set ? &sum.set : &sum.get, 1);
	atomic_fetch_or(&sum.superfluous, found->superfluous);
	atomic_fetch_or(&sum.dropped, found->dropped);
	if (before & said)
		return;
	name_components(found->superfluous, names);
	xf_log("vcpu=%" PRIu32 " direction=%s mode=%s xstate_bv=0x%" PRIx64 " shown=0x%" PRIx64
	       " superfluous=0x%" PRIx64 " dropped=0x%" PRIx64 " result=%s components=\"%s\"",
	       record->vcpu, found->set ? "set" : "get", xf_settings.trim ? "trim" : "observe",
	       found->xstate_bv, found->shown, found->superfluous, found->dropped,
	       xf_report_error(found->error), names);
}

void xf_report_off(struct xf_record *record, const char *why)
{
	if (!(atomic_fetch_or(&record->flags, SAID_OFF) & SAID_OFF))
		xf_log("vcpu=%" PRIu32 " hands_off=\"%s\"", record->vcpu, why);
}

void xf_report_unseen(uint32_t vcpu, const char *why)
{
	if (!atomic_exchange(&unseen_said, true))
		xf_log("vcpu=%" PRIu32 " hands_off=\"%s\"", vcpu, why);
}

void xf_report_settings(void)
{
	if (atomic_exchange(&settings_said, true))
		return;

	int error = xf_log_probe();

	if (error)
		xf_settings_refuse_log(xf_report_error(error), &xf_settings);
	for (size_t i = 0; i < XF_COMPLAINTS; i++)
		if (xf_settings.complaint[i][0])
			xf_log("setting=\"%s\"", xf_settings.complaint[i]);
}

void xf_report_summary(void)
{
	if (atomic_load(&sum.pid) != getpid())
		return;
	xf_log("summary vcpus=%" PRIu32 " set=%" PRIu32 " get=%" PRIu32 " superfluous=0x%" PRIx64
	       " dropped=0x%" PRIx64,
	       atomic_load(&sum.vcpus), atomic_load(&sum.set), atomic_load(&sum.get),
	       atomic_load(&sum.superfluous), atomic_load(&sum.dropped));
}
