# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernels of our own: one source tree a configuration, a few patches each.

The tree stays in the cache, so that a variant takes seconds: only the files that
its patches touch are compiled again. Before each build every file ever patched is
put back to what it was, so it does not matter how the one before ended. A kernel
with a configuration of its own has a tree of its own, for there all is compiled anew.
"""

import filecmp
import hashlib
import os
import re
import shutil

from lab import cache, debian, process
from lab.errors import LabError
from lab.matrix import TREE

CONFIG = TREE / 'lab' / 'config'
PATCHES = TREE / 'lab' / 'patches'
SERIES = TREE / 'kmod' / 'patches'
PROGRAMS = ('bash', 'bc', 'bison', 'dpkg-deb', 'flex', 'gcc', 'ld', 'make', 'patch', 'strip', 'tar',
            'xz')
# Left out of the tree: what this configuration compiles nothing of.
UNUSED = [f'*/{part}/*.[chS]' for part in
          ('Documentation', 'sound', 'samples', 'drivers/gpu', 'drivers/net/*', 'drivers/media',
           'drivers/staging', 'drivers/scsi', 'drivers/infiniband', 'drivers/usb',
           'tools/perf', 'tools/testing')] + [
          '*/Documentation/*.rst', '*/Documentation/*.yaml', '*/Documentation/*.txt',
          '*/tools/testing/selftests/*', '*.dts', '*.dtsi']


def patch_files(row):
    """The patches of a kernel: those of the lab in the order of the matrix, then a series."""
    files = [PATCHES / f'{name}.patch' for name in row.patches]
    for file in files:
        if not file.is_file():
            raise LabError(f'kernel {row.name}: no {file}')
    series = sorted((SERIES / row.carries).glob('*.patch')) if row.carries else []
    if row.carries and not series:
        raise LabError(f'kernel {row.name}: no patches in {SERIES / row.carries}')
    return files + series


def code(patch):
    """What a patch does to the tree; that has no documentation."""
    parts = re.split(r'^(?=diff --git )', patch.read_text(encoding='utf-8'), flags=re.M)
    return ''.join(part for part in parts if not part.startswith('diff --git a/Documentation/'))


def config_files(row):
    """lab/config, and what the kernel has on top of it."""
    if row.config is None:
        return [CONFIG]
    file = CONFIG.with_name(f'config-{row.config}')
    if not file.is_file():
        raise LabError(f'kernel {row.name}: no {file}')
    return [CONFIG, file]


def source_tree(row, version):
    """Where the source is built for that kernel."""
    name = 'source' if row.config is None else f'source-{row.config}'
    return cache.place() / name / version


def key(row, version):
    """What decides what comes out: a hash of the source's version, configuration and patches."""
    digest = hashlib.sha256(version.encode())
    for file in [*config_files(row), *patch_files(row)]:
        digest.update(b'\0' + file.read_bytes())
    return digest.hexdigest()[:12]


def _run(command, log, **more):
    with open(log, 'ab') as out:
        return process.run(command, stdout=out, stderr=out, **more).returncode == 0


def _unpack(matrix, row, version, suite, log):
    """The source tree of that version. Trees of other versions go."""
    tree = source_tree(row, version)
    if tree.is_dir():
        return tree
    shutil.rmtree(tree.parent, ignore_errors=True)
    with cache.making(tree) as made:
        deb = debian.Suite(suite).download(matrix.source, version, made)
        command = 'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "./usr/src/*.tar.xz" | ' \
                  'tar -xJ --strip-components=1 "$@"'
        excludes = [f'--exclude={pattern}' for pattern in UNUSED]
        if not _run(['bash', '-o', 'pipefail', '-c', command, deb, *excludes], log, cwd=made):
            raise LabError(f'{deb.name}: cannot be unpacked (see {log})')
        deb.unlink()
    return tree


def _restore(tree):
    """Every file that a patch once touched is as in the source again."""
    pristine = tree / '.pristine'
    for file in pristine.rglob('*') if pristine.is_dir() else ():
        target = tree / file.relative_to(pristine)
        if file.is_file() and not filecmp.cmp(file, target, shallow=False):
            shutil.copyfile(file, target)


def _keep_pristine(tree, text):
    """Puts aside what a patch will touch, unless that has been done; whole or not at all."""
    for name in re.findall(r'^\+\+\+ b/(\S+)', text, re.M):
        kept = tree / '.pristine' / name
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = tree / '.pristine-part'
            shutil.copyfile(tree / name, part)
            part.rename(kept)


def _apply(tree, patch, log):
    text = code(patch)
    if '\n@@ ' not in text:
        return True  # of documentation alone
    _keep_pristine(tree, text)
    return _run(['patch', '-d', tree, '-p1', '--forward'], log, given=text.encode())


def _configure(tree, row, log):
    """The configuration, where it changed; an option that does not take is an error."""
    files = config_files(row)
    wanted = ''.join(file.read_text(encoding='utf-8') for file in files)
    mark = tree / '.configured'
    if mark.exists() and mark.read_text(encoding='utf-8') == wanted:
        return
    whole = tree / '.wanted'
    whole.write_text(wanted, encoding='utf-8')
    names = ', '.join(f'lab/{file.name}' for file in files)
    if not _run(['make', '-C', tree, f'KCONFIG_ALLCONFIG={whole}', 'allnoconfig'], log):
        raise LabError(f'{names}: cannot be applied (see {log})')
    got = set((tree / '.config').read_text(encoding='utf-8').splitlines())
    for line in wanted.splitlines():
        if line.startswith('CONFIG_') and line not in got:
            raise LabError(f'{names}: {line} does not take: something it needs is missing')
    mark.write_text(wanted, encoding='utf-8')


def environment():
    """Nothing of the person who builds gets into a kernel, and no locale into the messages."""
    return {**os.environ, 'LC_ALL': 'C', 'KBUILD_BUILD_USER': 'xferry',
            'KBUILD_BUILD_HOST': 'lab', 'KBUILD_BUILD_TIMESTAMP': '1970-01-01'}


def _check_programs(what):
    for program in PROGRAMS:
        if not shutil.which(program):
            raise LabError(f'{what}: building needs {program} (script/bootstrap)')


def _make_target(tree, target, what, log):
    if not _run(['make', '-C', tree, f'-j{os.cpu_count()}', target], log, env=environment()):
        raise LabError(f'{what}: does not build (see {log})')


def prepared(matrix, row, version, suite):
    """The source tree with all that modules are built against; for whoever holds the cache."""
    what = f'headers for {row.name} ({matrix.source} {version})'
    _check_programs(what)
    log = cache.place() / 'build-headers.log'
    log.unlink(missing_ok=True)
    tree = _unpack(matrix, row, version, suite, log)
    _restore(tree)
    _configure(tree, row, log)
    if not (tree / 'vmlinux.symvers').exists():
        _make_target(tree, 'vmlinux', what, log)
    _make_target(tree, 'modules_prepare', what, log)
    return tree


def kernel(matrix, row, version, suite, made):
    """Builds one kernel into the directory `made`; gives what info.json says of it."""
    _check_programs(f'kernel {row.name}')
    log = cache.place() / f'build-{row.name}.log'
    log.unlink(missing_ok=True)
    tree = _unpack(matrix, row, version, suite, log)
    _restore(tree)
    for patch in patch_files(row):
        if not _apply(tree, patch, log):
            raise LabError(f'{patch}: does not apply to {matrix.source} {version} (see {log})')
    _configure(tree, row, log)
    _make_target(tree, 'vmlinux', f'kernel {row.name}', log)
    if not _run(['strip', '-s', '-o', made / 'kernel', tree / 'vmlinux'], log):
        raise LabError(f'kernel {row.name}: cannot be stripped (see {log})')
    return {'package': matrix.source, 'version': version, 'suite': suite,
            'patches': list(row.patches), 'modules': []}
