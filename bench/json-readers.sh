#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Why a stream's description is read with yajl: compiles the shortest reader for
# each JSON library, gives it the description of a guest with many vCPUs (made
# of a sample's: what each vCPU has, repeated), prints peak memory and time.
#
#   bench/json-readers.sh [STREAM [VCPUS]]
set -eu
cd "$(dirname "$0")/.."
stream=${1:-tests/samples/leaky-pc-qemu64.qevm}
vcpus=${2:-1024}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 - "$stream" "$vcpus" >"$place/description.json" <<'PYTHON'
import json
import struct
import sys

PER_VCPU = ('cpu_common', 'cpu', 'apic')

stream = open(sys.argv[1], 'rb').read()
# EOF, VMDESC, u32 length, and that much text up to the end.
start = next(i for i in range(len(stream) - 6, 0, -1)
             if stream[i:i + 2] == b'\0\6' and
             struct.unpack_from('>I', stream, i + 2)[0] == len(stream) - i - 6)
description = json.loads(stream[start + 6:])
first = [d for d in description['devices'] if d['name'] in PER_VCPU and d['instance_id'] == 0]
devices = [d for d in description['devices'] if d['name'] not in PER_VCPU]
for i in range(int(sys.argv[2])):
    devices += [dict(d, instance_id=i) for d in first]
description['devices'] = devices
json.dump(description, sys.stdout)
PYTHON

cat >"$place/common.h" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Time that passes. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Of this program alone: getrusage would count the shell that became it. */
static double peak_mb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	double kib = 0;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %lf", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib * 1024 / 1e6;
}
C

cat >"$place/json-c.c" <<'C'
#include <json-c/json.h>
static int parse(const char *path)
{
	struct json_object *root = json_object_from_file(path);

	return root && json_object_put(root) == 1;
}
C

cat >"$place/jansson.c" <<'C'
#include <jansson.h>
static int parse(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL);
	int ok = root != NULL;

	json_decref(root);
	return ok;
}
C

cat >"$place/yajl.c" <<'C'
#include <yajl/yajl_parse.h>
static const yajl_callbacks none;
static int parse(const char *path)
{
	static unsigned char piece[65536];
	FILE *file = fopen(path, "r");
	yajl_handle json = yajl_alloc(&none, NULL, NULL);
	int ok = 1;

	for (size_t n; ok && (n = fread(piece, 1, sizeof(piece), file));)
		ok = yajl_parse(json, piece, n) == yajl_status_ok;
	ok = ok && yajl_complete_parse(json) == yajl_status_ok;
	yajl_free(json);
	fclose(file);
	return ok;
}
C

cat >"$place/main.c" <<'C'
int main(int argc, char **argv)
{
	double start = seconds();
	double empty = peak_mb();

	(void)argc;
	if (!parse(argv[1]))
		return 1;
	printf("%-8s %6.1f MB above the %.1f MB of the program itself, %4.0f ms\n", argv[2],
	       peak_mb() - empty, empty, (seconds() - start) * 1e3);
	return 0;
}
C

printf '%d vCPUs, %.1f MB of text\n' "$vcpus" \
	"$(stat -c %s "$place/description.json" | awk '{ print $1 / 1e6 }')"
for library in json-c jansson yajl; do
	if ! pkg-config --exists $library; then
		echo "$library: its development files are not installed"
		continue
	fi
	# shellcheck disable=SC2046 # a list of words is meant
	cc -O2 -Wall -Werror -include "$place/common.h" -x c -o "$place/$library" \
		<(cat "$place/$library.c" "$place/main.c") \
		$(pkg-config --cflags --libs $library)
	"$place/$library" "$place/description.json" $library
done
