#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns host/models/ into the C tables of host/models.h.

    gen-models.py OUT.c features.txt qemu-X.Y.tsv...

What a name stands for depends on the QEMU and on the machine type, and a
-cpu string tells neither. So a model gets two masks over everything that its
name may stand for: what any of it shows, and what all of it shows.
"""

import pathlib
import re
import sys

# Every name QEMU has had for a feature that exposes a component, and the name
# of its constant in host/models.h.
EXPOSING = {
    'xsave': 'XSAVE', 'avx': 'AVX', 'mpx': 'MPX', 'avx512f': 'AVX512F',
    'avx10': 'AVX10', 'pku': 'PKU', 'intel-pt': 'INTEL_PT',
    'enqcmd': 'ENQCMD', 'shstk': 'CET_SS', 'cet-ss': 'CET_SS',
    'cet-shstk': 'CET_SS', 'ibt': 'CET_IBT', 'cet-ibt': 'CET_IBT',
    'uintr': 'UINTR', 'arch-lbr': 'ARCH_LBR', 'amx-tile': 'AMX_TILE',
    'apx': 'APXF', 'apxf': 'APXF'}

# A model with its version.
VERSIONED = re.compile(r'(.+)-v[0-9]+')


def rows(path):
    for line in path.read_text().splitlines():
        if line and not line.startswith('#'):
            yield line.split('\t')


class Model:
    def __init__(self):
        self.any = set()
        self.all = set(EXPOSING.values())
        self.tables = set()
        self.of_host = False

    def add(self, features):
        self.any |= features
        self.all &= features


def read_models(paths):
    """{name: Model} of all tables."""
    models = {}
    for table, path in enumerate(paths):
        for name, _, features in rows(path):
            name = name.split('@')[0]
            model = models.setdefault(name, Model())
            model.tables.add(table)
            if features == '?':
                model.of_host = True
            else:
                model.add({EXPOSING[f] for f in features.split()})
    # A machine type decides which version a bare name stands for, and there
    # are more machine types than the tables' QEMUs have.
    for name, model in models.items():
        match = VERSIONED.fullmatch(name)
        if match and match[1] in models:
            bare = models[match[1]]
            bare.add(model.any)
            bare.add(model.all)
    return models


def mask(names):
    return ' | '.join('XF_SHOWS_' + n for n in sorted(names)) or '0'


def main():
    out, features, *tables = map(pathlib.Path, sys.argv[1:])
    text = ['/* SPDX-License-Identifier: LGPL-2.1-or-later */',
            '/* Made by host/gen-models.py from host/models/. */',
            '#include "host/models.h"', '']

    versions = [re.fullmatch(r'qemu-(.+)\.tsv', t.name)[1] for t in tables]
    text += ['const char *const xf_qemu_versions[] = {'
             + ', '.join(f'"{v}"' for v in versions) + '};',
             f'const size_t xf_qemu_version_count = {len(versions)};', '']

    text.append('const struct xf_cpu_model xf_cpu_models[] = {')
    models = read_models(tables)
    # Python sorts by code point, as strcmp does; the names are ASCII.
    for name in sorted(models):
        m = models[name]
        known = '0' if m.of_host else mask(m.all)
        shown = 'XF_SHOWS_ALL' if m.of_host else mask(m.any)
        where = ' | '.join(f'1u << {t}' for t in sorted(m.tables))
        text.append(f'\t{{ "{name}", {shown}, {known}, {where}, '
                    f'{"true" if m.of_host else "false"} }},')
    text += ['};', f'const size_t xf_cpu_model_count = {len(models)};', '']

    text.append('const struct xf_cpu_feature xf_cpu_features[] = {')
    found = {name: kind for name, kind in rows(features)}
    # Not all of them are features of the QEMUs at hand; others have them.
    for name in EXPOSING:
        found.setdefault(name, 'bool')
    for name in sorted(found):
        assert found[name] in ('bool', 'value'), name
        bit = f'XF_SHOWS_{EXPOSING[name]}' if name in EXPOSING else '0'
        is_bool = 'true' if found[name] == 'bool' else 'false'
        text.append(f'\t{{ "{name}", {bit}, {is_bool} }},')
    text += ['};', f'const size_t xf_cpu_feature_count = {len(found)};']
    out.write_text('\n'.join(text) + '\n')


if __name__ == '__main__':
    main()
