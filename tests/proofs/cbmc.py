#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds core to its proofs under CBMC: for every input, where the tests have samples.

Usage: cbmc.py SOURCE-ROOT [--limit SECONDS] [NAME...]

A proof is a directory here whose driver makes any case at all, or a function of safe.c.
Each is run twice: once as it is, where nothing may fail, and once with every claim made
impossible, where all of them must: a claim that is never reached proves nothing. Last,
the core is broken in one place at a time, and the proof named there must notice.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORE = ("area", "component", "layout", "rule", "shown", "vcpu")

# What CBMC checks of itself is: bounds, pointers, signed overflow, shifts, division, and
# that no loop runs longer than it was unwound.
CHECKS = ("--unsigned-overflow-check", "--pointer-overflow-check", "--conversion-check",
          "--unwinding-assertions", "--drop-unused-functions")

# A mask has 64 bits; one more for the check that this is all.
UNWIND = 66
# A layout is copied in words.
UNWINDS = {"layout_from_cpuid": 98}

# Too large for it: several areas of a kilobyte, byte by byte. These run as plain tests only.
NOT_HERE = {"only-listed-bytes-change", "read-back-is-taken-back"}

# Those that have not yet been given the time to answer. They run when they are named.
UNANSWERED = {
    "layout_check", "layout_compacted", "layout_from_cpuid", "layout_sizes",
    "component_names",
    "module-drops-only-superfluous", "module-get-is-predicted", "module-set-is-predicted",
    "narrow-widen", "prediction-is-sharp", "prediction-is-sound",
    "saved-is-within-bounds",
}

# file, what is there, what it becomes, the proof that notices
MUTANTS = (
    ("rule", "xf_widen((guest.shown & guest.known) | XF_FPSSE)",
     "(guest.shown & guest.known) | XF_FPSSE", "never-drops-shown"),
    ("rule", "return state & guest.known &", "return state &", "unknown-changes-nothing"),
    ("rule", "superfluous_in(state, guest) & only",
     "superfluous_in(state, guest) & only & ~XF_PKRU", "repaired-is-within-guest"),
    ("component", "XF_AVX512, XF_AVX512 | XF_AVX", "XF_AVX512, XF_AVX512", "narrow-widen"),
    ("area", "if (size < XF_EXTENDED_OFFSET)\n\t\treturn false;", "", "area_head"),
    ("area", "drop &= xstate_bv & ~XF_FPSSE", "drop &= xstate_bv", "area_clear"),
    ("shown", "bit->reg) >> bit->bit & 1", "bit->reg) >> (bit->bit + 16) & 1", "shown_guest"),
)


def command(root, core, proof, reached):
    """The whole command line of one run; `core` is where core/ is, whole or broken."""
    here = root / "tests/proofs"
    if (here / proof).is_dir():
        sources = [here / "driver.c", here / proof / "proof.c"]
        entry = []
    else:
        sources = [here / "safe.c"]
        entry = ["--function", proof]
    sources += [core / "core" / (name + ".c") for name in CORE]
    return [str(root / "script/cbmc-root"), "--run", "-DXF_CBMC", f"-I{core}", f"-I{root}",
            f"-I{here}", *(["-DXF_REACHED"] if reached else []), "--unwind",
            str(UNWINDS.get(proof, UNWIND)), *CHECKS,
            *entry, *map(str, sources), "--json-ui"]


def run(words, limit):
    """CBMC's verdict on each property, as {name: (what it says, whether it holds)}."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit,
                          text=True, check=False)
    try:
        answers = json.loads(done.stdout)
    except json.JSONDecodeError as err:
        raise RuntimeError(done.stderr.strip() or "no answer") from err
    for answer in answers:
        if "result" in answer:
            return {one["property"]: (one["description"], one["status"] == "SUCCESS")
                    for one in answer["result"]}
    texts = [one.get("messageText", "") for one in answers if one.get("messageType") == "ERROR"]
    raise RuntimeError("; ".join(texts) or "no result")


def names(root):
    """Every proof that CBMC is given."""
    here = root / "tests/proofs"
    whole = [path.parent.name for path in here.glob("*/proof.c")]
    safe = re.findall(r"^void (\w+)\(void\)$", (here / "safe.c").read_text(), re.M)
    return sorted(set(whole) - NOT_HERE) + safe


def prove(root, proof, limit):
    """One proof: the number of properties that hold, or a RuntimeError that says what fails."""
    verdicts = run(command(root, root, proof, False), limit)
    failed = [f"{name}: {text}" for name, (text, holds) in verdicts.items() if not holds]
    if failed:
        raise RuntimeError("does not hold: " + "; ".join(failed[:3]))
    reached = run(command(root, root, proof, True), limit)
    claims = {name: holds for name, (text, holds) in reached.items()
              if text.startswith("reached: ")}
    if not claims:
        raise RuntimeError("claims nothing")
    idle = [reached[name][0] for name, holds in claims.items() if holds]
    if idle:
        raise RuntimeError("never " + "; ".join(idle))
    return len(verdicts), len(claims)


def notices(root, mutant, limit):
    """Whether the proof fails of a core that is broken in one place."""
    name, there, broken, proof = mutant
    with tempfile.TemporaryDirectory() as work:
        core = Path(work)
        (core / "core").mkdir()
        for path in (root / "core").glob("*.[ch]"):
            text = path.read_text()
            if path.name == name + ".c":
                if there not in text:
                    raise RuntimeError(f"core/{path.name} no longer has: {there}")
                text = text.replace(there, broken)
            (core / "core" / path.name).write_text(text)
        verdicts = run(command(root, core, proof, False), limit)
    return not all(holds for _, holds in verdicts.values())


def attempt(label, work):
    """Runs one piece of work and prints its line; whether it came out as it should."""
    begin = time.monotonic()
    try:
        text, good = work(), True
    except subprocess.TimeoutExpired:
        text, good = "no answer in time", False
    except RuntimeError as err:
        text, good = str(err), False
    print(f"{'ok  ' if good else 'FAIL'} {label:32} {time.monotonic() - begin:5.0f} s  {text}",
          flush=True)
    return good


def proof_line(root, proof, limit):
    properties, claims = prove(root, proof, limit)
    return f"{properties} properties, {claims} claims reached"


def mutant_line(root, mutant, limit):
    if not notices(root, mutant, limit):
        raise RuntimeError(f"holds although core/{mutant[0]}.c says: {mutant[2]}")
    return f"noticed: {mutant[1].split(chr(10))[0]}"


def main():
    """Every proof, or those named; then the mutants of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--limit", type=float, default=1200, help="seconds for one run")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    root = args.root.resolve()
    there = subprocess.run([root / "script/cbmc-root"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, check=False)
    if there.returncode:
        print("skipped:", there.stderr.strip())
        return 77
    wanted = args.names or [name for name in names(root) if name not in UNANSWERED]
    good = [attempt(name, lambda name=name: proof_line(root, name, args.limit))
            for name in wanted]
    good += [attempt("broken: " + mutant[3],
                     lambda mutant=mutant: mutant_line(root, mutant, args.limit))
             for mutant in MUTANTS if mutant[3] in wanted]
    print(f"{sum(good)} of {len(good)} as they should be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
