# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel module, built for a kernel of the matrix: xferry.ko.

	module.get(data, kernels.get(data, 'debian-6.1'))

What is built is a copy of kmod/, with core/ where its link points to, and what that
copy has in it is what the cache's name of it says: a change of a source, of a kernel or
of its configuration is another module.
"""

import hashlib
import shutil
import tempfile

from pathlib import Path

from lab import build, cache, headers, kernels, process, toolchain
from lab.errors import LabError
from lab.matrix import TREE

SOURCE = TREE / 'kmod'
NAME = 'xferry.ko'
PART = 'modules'  # of the cache, with a lock of its own
# What a build leaves behind, and what it does not read.
LEFT = shutil.ignore_patterns('*.o', '*.ko', '*.mod', '*.mod.c', '*.cmd', '.*', 'Module.symvers',
                              'modules.order', 'patches', 'meson.build')


def _stage(source, place):
    """A copy that stands for itself: links are followed."""
    if not source.is_dir():
        raise LabError(f'{source}: there is no module\'s source')
    shutil.copytree(source, place, ignore=LEFT)


def _key(source, target):
    """A hash of all that is staged, and of what it is built against."""
    digest = hashlib.sha256(str(target).encode())
    for path in sorted(source.rglob('*')):
        if path.is_file():
            digest.update(f'\0{path.relative_to(source)}\0'.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _complaint(log):
    """The compiler's first word on what is wrong."""
    for line in log.read_text(encoding='utf-8', errors='replace').splitlines():
        if 'error:' in line or 'ERROR:' in line or '***' in line:
            return f': {line.strip()}'
    return ''


def _enter(target):
    """What a command is run by to have the kernel's compiler: nothing where that is here."""
    if shutil.which(target.compiler):
        return lambda words, _: words
    toolchain.check()
    root = toolchain.root(target.suite, target.compiler, target.needs)
    return lambda words, place: toolchain.command(root, [target.top, place], words)


def _build(kernel, target, enter, made):
    staged = made / 'source'
    log = cache.place() / PART / f'build-{kernel.name}.log'
    words = ['make', '-C', target.path, f'M={staged}', 'modules']
    with open(log, 'wb') as out:
        done = process.run(enter(words, made), stdout=out, stderr=out, env=build.environment())
    if done.returncode or not (staged / NAME).is_file():
        raise LabError(f'module for {kernel.name} ({kernel.version}): does not build (see {log})'
                       + _complaint(log))
    done = process.ask(['strip', '-g', '-o', made / NAME, staged / NAME])
    if done.returncode:
        raise LabError(f'module for {kernel.name}: strip: {process.last_line(done)}')
    shutil.rmtree(staged)
    return {'package': kernel.package, 'version': kernel.version}


def get(matrix, kernel, source=SOURCE):
    """The module for a kernel; it is built when it is not there."""
    target = headers.get(matrix, kernel)
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch) / 'source'
        _stage(source, staged)
        path = cache.place() / PART / (f'{kernel.package}_{kernel.version}-'
                                       f'{_key(staged, target.top.name)}')
        if (path / 'info.json').exists():
            return path / NAME
        enter = _enter(target)

        def fill(made):
            shutil.copytree(staged, made / 'source')
            return _build(kernel, target, enter, made)

        kernels.make(path, f'module for {kernel.package} {kernel.version}', fill, PART)
    return path / NAME
