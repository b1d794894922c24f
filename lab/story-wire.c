/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One end of the serial line between two hosts of a story, for QEMU's
 * "exec:": a pipe's reader can be waited for and sees its end, a serial line has
 * neither, and a kernel drops what comes faster than it is read.
 *
 *	story-wire send PORT	standard input to the line; ends when the other end
 *				has passed on all of it, else with status 1
 *	story-wire receive PORT	from the line to standard output
 *
 * What is sent is blocks: BLOCK, the length in two bytes, the low one first, then
 * the data; a length of 0 is the end. The receiver says HELLO once and TAKEN for each
 * block that it has passed on, the last one too, or FAILED. No more than WINDOW
 * blocks are under way, which the buffers of a kernel's terminal always hold.
 *
 * The port is raw and stays so: the host's first program (story-agent.c) has it open.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 'b'
#define HELLO 'h'
#define TAKEN 't'
#define FAILED 'f'
#define HEAD 3
#define DATA_MAX 1024
#define WINDOW 16
/* A few bytes come at a time; woken for each time, the reader takes the CPU that the line needs. */
#define BURST 100
#define US_A_BYTE 4
/* The other end is gone, or never came. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 60000
#endif

static int fail(const char *what)
{
	fprintf(stderr, "story-wire: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool write_all(int fd, const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data += done;
		len -= (size_t)done;
	}
	return true;
}

/* False if nothing comes for too long. */
static bool read_port(int port, unsigned char *data, size_t len)
{
	struct pollfd wait = { .fd = port, .events = POLLIN };

	while (len > 0) {
		int ready = poll(&wait, 1, PATIENCE_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready <= 0)
			return false;
		if (len > BURST)
			usleep((useconds_t)len * US_A_BYTE);

		ssize_t got = read(port, data, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		data += got;
		len -= (size_t)got;
	}
	return true;
}

/* What an end of input leaves short is short. */
static ssize_t read_block(unsigned char *data)
{
	size_t len = 0;

	while (len < DATA_MAX) {
		ssize_t got = read(STDIN_FILENO, data + len, DATA_MAX - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

static bool wait_for(int port, unsigned char word)
{
	unsigned char said = 0;

	if (!read_port(port, &said, 1))
		return false;
	if (said == word)
		return true;
	errno = said == FAILED ? EPIPE : EPROTO;
	return false;
}

static int send_all(int port)
{
	unsigned char block[HEAD + DATA_MAX] = { BLOCK };
	size_t under_way = 0;
	ssize_t len;

	if (!wait_for(port, HELLO))
		return fail("nobody at the other end");
	do {
		len = read_block(block + HEAD);
		if (len < 0)
			return fail("standard input");
		block[1] = (unsigned char)(len & 0xff);
		block[2] = (unsigned char)(len >> 8);
		if (!write_all(port, block, HEAD + (size_t)len))
			return fail("port");
		under_way++;
		while (under_way > (len == 0 ? 0 : WINDOW - 1)) {
			if (!wait_for(port, TAKEN))
				return fail("the other end");
			under_way--;
		}
	} while (len > 0);
	return 0;
}

static int receive_all(int port)
{
	unsigned char head[HEAD];
	unsigned char data[DATA_MAX];
	size_t len;

	if (!write_all(port, (const unsigned char[]){ HELLO }, 1))
		return fail("port");
	do {
		if (!read_port(port, head, HEAD))
			return fail("port");
		len = head[1] | (size_t)head[2] << 8;
		if (head[0] != BLOCK || len > DATA_MAX) {
			errno = EPROTO;
			return fail("port");
		}
		if (!read_port(port, data, len))
			return fail("port");
		if (!write_all(STDOUT_FILENO, data, len)) {
			write_all(port, (const unsigned char[]){ FAILED }, 1);
			return fail("standard output");
		}
		if (!write_all(port, (const unsigned char[]){ TAKEN }, 1))
			return fail("port");
	} while (len > 0);
	return 0;
}

int main(int argc, char **argv)
{
	bool sends = argc == 3 && strcmp(argv[1], "send") == 0;

	if (!sends && (argc != 3 || strcmp(argv[1], "receive") != 0)) {
		fputs("usage: story-wire send|receive PORT\n", stderr);
		return 16;
	}
	signal(SIGPIPE, SIG_IGN);

	int port = open(argv[2], O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (port < 0)
		return fail(argv[2]);
	return sends ? send_all(port) : receive_all(port);
}
