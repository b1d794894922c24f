/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one program of a story's host: the first process of a Linux inside QEMU. It
 * takes orders on its second serial port and runs one program at a time, whose
 * standard input and output are that port, so that QEMU's monitor can be spoken
 * to from outside as if QEMU were a child of the one who speaks.
 *
 *	in	ROOTS \x1f STDERR \x1f PROGRAM \x1f ARGUMENT... \n
 *		then whatever the program shall read; \x03 kills it. It is run in the
 *		first of the ROOTS, which have a colon between them; the others are
 *		made ready for it to chroot to.
 *	out	{"agent": "ready"} once, then what the program writes, and when it
 *		has ended {"agent": STATUS}, 128 and the signal's number if it was
 *		killed
 *
 * First it loads the kernel's modules that /lab/modules lists: a path a line, and behind
 * a space the module's parameters.
 *
 * The third serial port is the line to another host (story-wire.c). It is held open
 * here, raw; what an earlier program left unread there is thrown away before the next.
 *
 * The file system of the machine outside is seen read-only (9p tag "root"), and a
 * directory of it as /mnt in every ROOT (9p tag "share").
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define OUTSIDE "/outside"
#define SEPARATOR '\x1f'
#define KILL '\x03'
#define MAX_WORDS 128

struct order {
	char *roots;
	char *stderr_path;
	char *argv[MAX_WORDS + 1];
};

struct child {
	pid_t pid;
	int in;
	int out;
};

/* The end of the first process is the end of the machine. */
static void die(const char *what)
{
	fprintf(stderr, "story-agent: %s: %s\n", what, strerror(errno));
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void mount_or_die(const char *source, const char *target, const char *type,
			 unsigned long flags, const char *options)
{
	if (mount(source, target, type, flags, options) && errno != EBUSY)
		die(target);
}

static void mount_devices(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount_or_die("dev", "/dev", "devtmpfs", 0, NULL);
	mount_or_die("proc", "/proc", "proc", 0, NULL);
	mount_or_die("sysfs", "/sys", "sysfs", 0, NULL);
}

static void mount_outside(void)
{
	mkdir("/share", 0755);
	mkdir(OUTSIDE, 0755);
	/* Nothing changes outside while the story runs: what was read once is kept. */
	mount_or_die("root", OUTSIDE, "9p", MS_RDONLY,
		     "trans=virtio,version=9p2000.L,msize=262144,cache=loose");
	mount_or_die("share", "/share", "9p", 0,
		     "trans=virtio,version=9p2000.L,msize=262144,cache=none");
}

/* A host that lacks one of its modules is not the host that was asked for. */
static void load_modules(void)
{
	FILE *file = fopen("/lab/modules", "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		char *parameters = line;
		const char *path = strsep(&parameters, " \n");
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (parameters)
			parameters[strcspn(parameters, "\n")] = '\0';
		if (fd < 0 || syscall(SYS_finit_module, fd, parameters ? parameters : "", 0))
			die(path);
		close(fd);
	}
	if (file)
		fclose(file);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		data += done;
		len -= (size_t)done;
	}
}

static void print_agent(int port, const char *value)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "\n{\"agent\": %s}\n", value);

	write_all(port, line, (size_t)len);
}

static int open_port(const char *path)
{
	int port = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (port < 0 || tcgetattr(port, &t))
		die(path);
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	if (tcsetattr(port, TCSANOW, &t))
		die(path);
	return port;
}

/* An interrupt each 14 bytes instead of 8: twice as fast, where each is emulated. */
static int open_link(void)
{
	int trigger = open("/sys/class/tty/ttyS2/rx_trig_bytes", O_WRONLY | O_CLOEXEC);

	if (trigger < 0 || write(trigger, "14", 2) != 2)
		die("rx_trig_bytes");
	close(trigger);
	return open_port("/dev/ttyS2");
}

/* One byte at a time: what follows the order is the program's. */
static char *read_line(int port, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t got = read(port, line + len, 1);

		if (got < 0 && errno != EINTR)
			die("serial port");
		if (got <= 0 || line[len] == KILL)
			continue;
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
	return line;
}

static bool read_order(int port, struct order *out)
{
	static char line[1 << 14];
	char *rest = read_line(port, line, sizeof(line));
	char separators[] = { SEPARATOR, '\0' };
	size_t n = 0;

	out->roots = strsep(&rest, separators);
	out->stderr_path = strsep(&rest, separators);
	while (rest && n < MAX_WORDS)
		out->argv[n++] = strsep(&rest, separators);
	out->argv[n] = NULL;
	return n > 0;
}

/* A root has what a program needs: devices, /proc, the share. */
static void furnish(const char *root)
{
	static const char *const bound[][2] = { { "/dev", "dev" },
						{ "/proc", "proc" },
						{ "/share", "mnt" } };
	static char furnished[8][256];
	char path[512];

	for (size_t i = 0; i < 8; i++) {
		if (strcmp(furnished[i], root) == 0)
			return;
		if (furnished[i][0])
			continue;
		snprintf(furnished[i], sizeof(furnished[i]), "%s", root);
		break;
	}
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		snprintf(path, sizeof(path), OUTSIDE "%s/%s", root, bound[i][1]);
		mount_or_die(bound[i][0], path, NULL, MS_BIND, NULL);
	}
}

static void become(const struct order *order, int in, int out)
{
	char root[512];
	int err = open(order->stderr_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

	snprintf(root, sizeof(root), OUTSIDE "%s", order->roots);
	dup2(err, STDERR_FILENO);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	setsid();
	if (chroot(root) || chdir("/")) {
		perror(root);
		_exit(126);
	}
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	execvp(order->argv[0], order->argv);
	perror(order->argv[0]);
	_exit(127);
}

static struct child start(struct order *order)
{
	int in[2];
	int out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("pipe");
	for (char *root = strtok(order->roots, ":"); root; root = strtok(NULL, ":"))
		furnish(root);

	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		become(order, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	return (struct child){ .pid = pid, .in = in[1], .out = out[0] };
}

static void pass_on(int port, const struct child *child)
{
	char data[4096];
	ssize_t got = read(port, data, sizeof(data));

	if (got <= 0)
		return;
	if (memchr(data, KILL, (size_t)got))
		kill(-child->pid, SIGKILL);
	else
		write_all(child->in, data, (size_t)got);
}

/* Orphans come to the first process; they are let go too. */
static bool has_ended(pid_t pid, int *out)
{
	int status;

	for (;;) {
		pid_t ended = waitpid(-1, &status, WNOHANG);

		if (ended <= 0)
			return false;
		if (ended == pid) {
			*out = status;
			return true;
		}
	}
}

/* Carries bytes both ways until the program has ended and all it wrote is out. */
static int relay(int port, struct child *child)
{
	struct pollfd fds[] = { { .fd = port, .events = POLLIN },
				{ .fd = child->out, .events = POLLIN } };
	char data[4096];
	bool ended = false;
	int status = 0;

	for (;;) {
		/* A grandchild may hold the pipe open after the program's end. */
		ended = ended || has_ended(child->pid, &status);
		if (poll(fds, 2, ended ? 0 : 100) < 0 && errno != EINTR)
			die("poll");
		if (fds[1].revents) {
			ssize_t got = read(child->out, data, sizeof(data));

			if (got > 0)
				write_all(port, data, (size_t)got);
			else
				fds[1].fd = -1;
		} else if (ended) {
			break;
		}
		if (fds[0].revents & POLLIN && !ended)
			pass_on(port, child);
	}
	close(child->in);
	close(child->out);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	mount_devices();
	load_modules();
	mount_outside();
	signal(SIGPIPE, SIG_IGN);

	int port = open_port("/dev/ttyS1");
	int link = open_link();

	print_agent(port, "\"ready\"");
	for (;;) {
		struct order order;

		if (!read_order(port, &order))
			continue;
		tcflush(link, TCIFLUSH);

		struct child child = start(&order);

		char status[16];

		snprintf(status, sizeof(status), "%d", relay(port, &child));
		print_agent(port, status);
	}
}
