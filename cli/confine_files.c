/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Landlock (Linux 5.13): files are changed below a few places only. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/confine.h"

/*
 * The kernel's interface, written down here as headers of many ages are about. It takes a
 * structure that is longer than the one it knows where what is behind is zero.
 */
struct ruleset {
	uint64_t files;
	uint64_t network;
	uint64_t scopes;
};

struct beneath {
	uint64_t files;
	int32_t parent;
} __attribute__((packed));

enum { RULE_BENEATH = 1, FLAG_VERSION = 1 };

enum {
	WRITE_FILE = 1 << 1,
	REMOVE_DIRECTORY = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_CHARACTER_DEVICE = 1 << 6,
	MAKE_DIRECTORY = 1 << 7,
	MAKE_FILE = 1 << 8,
	MAKE_SOCKET = 1 << 9,
	MAKE_FIFO = 1 << 10,
	MAKE_BLOCK_DEVICE = 1 << 11,
	MAKE_LINK = 1 << 12,
	REFER = 1 << 13,    /* version 2; before, it is refused always */
	TRUNCATE = 1 << 14, /* version 3 */
	ALL_CHANGES = WRITE_FILE | REMOVE_DIRECTORY | REMOVE_FILE | MAKE_CHARACTER_DEVICE |
		      MAKE_DIRECTORY | MAKE_FILE | MAKE_SOCKET | MAKE_FIFO | MAKE_BLOCK_DEVICE |
		      MAKE_LINK,
	/* A file's name is not moved from one directory to another. */
	OUR_CHANGES = WRITE_FILE | REMOVE_FILE | MAKE_FILE | TRUNCATE,
};

enum { NETWORK_VERSION = 4, BIND_AND_CONNECT = 3 };
enum { SCOPES_VERSION = 6, ABSTRACT_SOCKETS_AND_SIGNALS = 3 };

void writable_add(struct writable *writable, const char *path)
{
	int fd = -1;

	if (writable->count < (int)(sizeof(writable->fds) / sizeof(writable->fds[0])))
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		writable->fds[writable->count++] = fd;
}

void writable_deinit(struct writable *writable)
{
	for (int i = 0; i < writable->count; i++)
		close(writable->fds[i]);
	writable->count = 0;
}

#ifdef SYS_landlock_create_ruleset

static struct ruleset ruleset_of(long version)
{
	struct ruleset ruleset = { .files = ALL_CHANGES };

	ruleset.files |= version >= 2 ? REFER : 0;
	ruleset.files |= version >= 3 ? TRUNCATE : 0;
	ruleset.network = version >= NETWORK_VERSION ? BIND_AND_CONNECT : 0;
	ruleset.scopes = version >= SCOPES_VERSION ? ABSTRACT_SOCKETS_AND_SIGNALS : 0;
	return ruleset;
}

/* Of a file only its own content can be allowed. */
static bool allow(int rules, const struct ruleset *ruleset, int fd)
{
	struct beneath beneath = { .files = ruleset->files & OUR_CHANGES, .parent = fd };
	struct stat about;

	if (fstat(fd, &about) < 0)
		return false;
	if (!S_ISDIR(about.st_mode))
		beneath.files &= WRITE_FILE | TRUNCATE;
	return syscall(SYS_landlock_add_rule, rules, RULE_BENEATH, &beneath, 0) == 0;
}

bool confine_files(const struct writable *writable)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, FLAG_VERSION);

	if (version < 1)
		return false;

	struct ruleset ruleset = ruleset_of(version);
	int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	bool done = rules >= 0;

	/* A place that cannot be allowed would make us refuse what was asked for. */
	for (int i = 0; done && i < writable->count; i++)
		done = allow(rules, &ruleset, writable->fds[i]);
	done = done && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	if (rules >= 0)
		close(rules);
	return done;
}

#else

bool confine_files(const struct writable *writable)
{
	(void)writable;
	return false;
}

#endif
