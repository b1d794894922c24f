# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a kernel module is built against, for each kernel of the matrix.

	headers.get(matrix.load(), kernel).path     KDIR of "make -C KDIR M=… modules"

Debian's kernels have packages for that, and their compiler may be another than this
machine's: then it is had from their suite (toolchain.py). Of our own kernels, the part
of the source tree that is needed is kept aside, so that nobody waits for the tree.
"""

import dataclasses
import hashlib
import re
import shutil

from pathlib import Path

from lab import build, cache, debian, kernels, process
from lab.errors import LabError

# Of a source tree: all that a module's build reads, and the programs it runs.
FILES = ('Makefile', '.config', 'scripts', 'include', 'arch/x86/include', 'arch/x86/Makefile',
         'arch/x86/Makefile_32.cpu', 'tools/objtool/objtool')
OBJECTS = shutil.ignore_patterns('*.o', '*.cmd', '*.a')


@dataclasses.dataclass(frozen=True)
class Headers:
    """A place to build modules against, and with which compiler."""
    path: Path              # KDIR; absolute, and the same in a toolchain's root
    top: Path               # the directory in the cache that has it all
    compiler: str
    suite: str | None       # where that compiler comes from when it is not here
    needs: tuple = ()       # packages of that suite that the headers' programs need


def own_key(row, version):
    """What decides what the headers of an own kernel say: source and configuration."""
    digest = hashlib.sha256(version.encode())
    for file in build.config_files(row):
        digest.update(b'\0' + file.read_bytes())
    return digest.hexdigest()[:12]


def _keep(tree, made):
    for name in FILES:
        source, target = tree / name, made / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=OBJECTS)
        else:
            shutil.copy2(source, target)
    shutil.copyfile(tree / 'vmlinux.symvers', made / 'Module.symvers')


def _own(matrix, kernel):
    """Of the source without patches: none changes what a module sees, unless to be refused."""
    row = matrix.kernel(kernel.name)
    path = cache.place() / 'headers' / f'own-{own_key(row, kernel.version)}'

    def fill(made):
        _keep(build.prepared(matrix, row, kernel.version, kernel.suite), made)
        return {'package': kernel.package, 'version': kernel.version}

    kernels.make(path, f'headers of {kernel.package} {kernel.version}', fill)
    return Headers(path, path, 'gcc', None)


def depends(deb):
    """What a package needs, without versions; of a choice, the first."""
    done = process.ask(['dpkg-deb', '-f', deb, 'Depends'])
    if done.returncode:
        raise LabError(f'{deb.name}: not a whole package: {process.last_line(done)}')
    return re.findall(r'(?:^|, )([a-z0-9][a-z0-9.+-]+)', done.stdout)


def compiler(needs, name):
    """"gcc-12" of what headers need: linux-compiler-gcc-12-x86, or a gcc-12 for that machine."""
    for need in needs:
        found = re.search(r'\bgcc-\d+', need)
        if found:
            return found[0]
    raise LabError(f'{name}: names no compiler')


def _one(needs, pattern, name):
    found = [need for need in needs if re.fullmatch(pattern, need)]
    if not found:
        raise LabError(f'{name}: needs no {pattern}')
    return found[0]


def _fetch(kernel, name, path, made):
    """Unpacks headers as they will lie in `path`: their own paths are absolute."""
    suite = debian.Suite(kernel.suite)
    deb = suite.download(name, kernel.version, made)
    needs = depends(deb)
    others = [_one(needs, pattern, name) for pattern in
              (r'linux-headers-.*-common', r'linux-kbuild-.*')]
    debs = [deb] + [suite.download(other, kernel.version, made) for other in others]
    kbuild_needs = depends(debs[2])
    for one in debs:
        done = process.ask(['dpkg-deb', '-x', one, made])
        if done.returncode:
            raise LabError(f'{one.name}: not a whole package: {process.last_line(done)}')
        one.unlink()
    for file in (made / 'usr' / 'src' / name).iterdir():
        if file.name in ('Makefile', '.kernelvariables'):
            file.write_text(file.read_text(encoding='utf-8').replace('/usr/src/',
                                                                     f'{path}/usr/src/'),
                            encoding='utf-8')
    return {'package': name, 'version': kernel.version, 'compiler': compiler(needs, name),
            'needs': kbuild_needs}


def _debian(kernel):
    name = kernel.package.replace('linux-image-', 'linux-headers-').removesuffix('-unsigned')
    path = cache.place() / 'headers' / f'{name}_{kernel.version}'
    info = kernels.make(path, f'{name} {kernel.version}',
                        lambda made: _fetch(kernel, name, path, made))
    return Headers(path / 'usr' / 'src' / name, path, info['compiler'],
                   debian.base(kernel.suite), tuple(info['needs']))


def get(matrix, kernel):
    """The headers of a kernel of the matrix."""
    if matrix.kernel(kernel.name.partition('=')[0]).own:
        return _own(matrix, kernel)
    return _debian(kernel)
