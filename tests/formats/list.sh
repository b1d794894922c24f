#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cases, one a line. With names: whether these are all of them, which they are not when a
# case was added since the build was configured.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/cases"
list=$(printf '%s\n' */)
list=${list//\//}
if [ $# = 0 ]; then
	echo "$list"
	exit 0
fi
diff <(printf '%s\n' "$@") - <<<"$list" || {
	echo 'FAILED: cases/ has changed (< configured, > there): meson setup --reconfigure BUILD'
	exit 1
}
echo "ok $# cases"
