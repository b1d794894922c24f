#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing that a document names is opened or asked for.
#
#	nothing-fetched.sh CPU-EVIDENCE
#
# Behind the document's own file nothing is opened, no socket made, whatever it says.
evidence=$(realpath "$1")
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need strace
strace -o trace true 2>/dev/null || skip 'strace may not trace here'
echo '<!ENTITY x "y">' >x.dtd
echo secret >secret
# Nobody is asked; were it otherwise, it would be this machine.
web=http: other=ftp:
# A sanitizer cannot look for leaks in what is traced.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# fetches_nothing STATUS: a document from stdin.
fetches_nothing() {
	local due=$1 status=0

	cat >document.xml
	strace -f -o trace -e trace=?open,openat,socket,connect \
		"$evidence" xml:document.xml >"$said/out" 2>"$said/err" || status=$?
	told=$(cat document.xml)
	hold_status "$due" "$status"
	grep -q '"document.xml"' trace || die "the trace lacks the document: $(cat trace)"
	sed '1,/"document.xml"/d' trace | grep -v exited >"$said/rest" &&
		die "$told: $(cat "$said/rest")"
	echo "ok $told"
}

cpu="<cpu><model>&m;</model></cpu>"
fetches_nothing 1 <<<"<!DOCTYPE cpu SYSTEM 'x.dtd'>$cpu"
fetches_nothing 1 <<<"<!DOCTYPE cpu SYSTEM '$web//127.0.0.1:9/x.dtd'>$cpu"
fetches_nothing 1 <<<"<!DOCTYPE cpu PUBLIC '-//X//DTD X//EN' '$other//127.0.0.1/x.dtd'>$cpu"
fetches_nothing 1 <<<"<!DOCTYPE cpu [<!ENTITY m SYSTEM 'secret'>]>$cpu"
fetches_nothing 1 <<<"<!DOCTYPE cpu [<!ENTITY % p SYSTEM 'x.dtd'> %p;]>$cpu"
fetches_nothing 1 <<<"$cpu"
fetches_nothing 0 <<<"<?xml-stylesheet type='text/xsl' href='x.dtd'?><cpu><model>EPYC</model></cpu>"
fetches_nothing 0 <<<"<cpu xmlns:xi='$web//www.w3.org/2001/XInclude'
	xmlns:xsi='$web//www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='$web//127.0.0.1:9/ x'
	><model>EPYC</model><xi:include href='secret' parse='text'/></cpu>"
