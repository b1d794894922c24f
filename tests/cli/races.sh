#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The crew that checks a tree, under ThreadSanitizer ($RACING): states of all formats, broken
# ones, and others, many at a time.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=../formats/lib.sh
. "$SOURCE/tests/formats/lib.sh"
: "${RACING:?names the command that was built with ThreadSanitizer}"
need python3
# Its status when it has seen something; the libraries that we use are not built with it.
export TSAN_OPTIONS=exitcode=66:ignore_noninstrumented_modules=1
"$RACING" --version >"$said/out" 2>"$said/err" ||
	skip "ThreadSanitizer does not run here: $(head -n 1 "$said/err")"

python3 - "$samples" <<'END'
import pathlib
import sys

samples = sorted(pathlib.Path(sys.argv[1]).glob('*.qevm'))
for number in range(40):
    place = pathlib.Path('fleet', str(number))
    place.mkdir(parents=True)
    for sample in samples:
        place.joinpath(sample.name).hardlink_to(sample)
    data = samples[number % len(samples)].read_bytes()
    place.joinpath('short').write_bytes(data[:len(data) * number // 40])
    place.joinpath('volume').write_bytes(data + bytes(-len(data) % 4096))
    place.joinpath('letter').write_text('a letter')
END
each_format formats
for ((i = 0; i < 10; i++)); do
	cp -rl formats "fleet/$i/formats"
done
guest=(--cpu qemu64 --to 'preset:linux-6.2,-pku')
for form in '' --json; do
	status=0
	# shellcheck disable=SC2086 # or no word at all
	"$RACING" check $form --jobs 8 "${guest[@]}" fleet >"$said/out" 2>"$said/err" || status=$?
	told="check $form of a tree, under ThreadSanitizer"
	hold_status 12 "$status"
	mv "$said/out" "$said/racing"
	mv "$said/err" "$said/races"
	status=0
	# shellcheck disable=SC2086
	"$XFERRY" check $form --jobs 1 "${guest[@]}" fleet >"$said/out" 2>"$said/err" || status=$?
	hold_status 12 "$status"
	cmp "$said/racing" "$said/out" || die "$told: eight workers say something else than one"
	cmp "$said/races" "$said/err" || die "$told: $(head -n 40 "$said/races")"
	echo "ok $told: $(wc -l <"$said/out") lines, $(wc -l <"$said/err") errors"
done
