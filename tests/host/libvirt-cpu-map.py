#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds what xferry makes of libvirt's names against libvirt's own definitions.

    libvirt-cpu-map.py CPU-EVIDENCE [CPU_MAP]

CPU-EVIDENCE is the program of that name; CPU_MAP the directory that libvirt
has its definitions in. Of a guest that ran, libvirt writes a model and how the
guest differs from its definition. So nothing that a definition has may count as
hidden, no model may be unknown, and no feature either.
"""

import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

X87_SSE = 0x3
# The features that show components, by libvirt's names.
SHOWING = {'avx': 0x4, 'mpx': 0x18, 'avx512f': 0xe0, 'pku': 0x200, 'amx-tile': 0x60000}


def definitions(directory):
    """({model: its element}, {feature}) of all files for x86."""
    models, features = {}, set()
    for path in sorted(directory.glob('x86_*.xml')):
        root = ElementTree.parse(path).getroot()
        models |= {m.get('name'): m for m in root.findall('model')}
        features |= {f.get('name') for f in root.findall('feature')}
    return models, features


def features_of(models, name):
    """All features of a model, those of the one it is made of too."""
    found = set()
    for parent in models[name].findall('model'):
        found |= features_of(models, parent.get('name'))
    for feature in models[name].findall('feature'):
        if feature.get('removed') == 'yes':
            found.discard(feature.get('name'))
        else:
            found.add(feature.get('name'))
    return found


def evidence(program, documents):
    """[(shown, known)] of what libvirt would write, one document each."""
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for i, text in enumerate(documents):
            path = pathlib.Path(place, f'{i}.xml')
            path.write_text(text)
            paths.append(f'xml:{path}')
        out = subprocess.run([program, *paths], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    return [tuple(int(n, 16) for n in line.split()) for line in out.splitlines()]


def denied(models, name, shown, known):
    """Components that libvirt's definition has and the evidence hides."""
    features = features_of(models, name)
    components = X87_SSE
    if 'xsave' in features:
        for feature, mask in SHOWING.items():
            components |= mask if feature in features else 0
    return components & known & ~shown


def main():
    program = sys.argv[1]
    directory = pathlib.Path((sys.argv[2:] or ['/usr/share/libvirt/cpu_map'])[0])
    if not directory.is_dir():
        print('skipped: libvirt is not installed')
        return 77
    models, features = definitions(directory)
    if len(models) < 40 or len(features) < 150:
        sys.exit(f'{directory}: only {len(models)} models, {len(features)} features')
    failures = 0
    found = evidence(program, [f'<cpu><model>{name}</model></cpu>' for name in models])
    for name, (shown, known) in zip(models, found, strict=True):
        wrong = denied(models, name, shown, known)
        if wrong:
            failures += 1
            print(f'{name}: {wrong:#x} counts as hidden, and libvirt shows it')
    # One that is not known would leave all open.
    found = evidence(program, [
        f"<cpu><model>qemu64</model><feature name='{name}' policy='require'/>"
        "<feature name='xsave' policy='require'/></cpu>" for name in sorted(features)])
    for name, (_, known) in zip(sorted(features), found, strict=True):
        if known & 0x21c != 0x21c:
            failures += 1
            print(f'feature {name} is not known')
    print(f'{len(models)} models, {len(features)} features, {failures} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
