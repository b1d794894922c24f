# SPDX-License-Identifier: LGPL-2.1-or-later
"""Out of Debian's kernel packages: the kernel, and KVM for AMD with all the modules it needs."""

import gzip
import lzma
import re
import struct
import subprocess
import tarfile

from pathlib import PurePosixPath

from lab import process
from lab.errors import LabError

ROOT = 'kvm-amd'
# Where its modules have lived so far; others are looked for in a second reading.
USUAL = ('kvm-amd', 'kvm', 'irqbypass', 'ccp')


def _name(path):
    """"kvm-amd" of "…/kvm-amd.ko.xz", or None. Modules ask for each other with either dash."""
    name = PurePosixPath(path).name
    for ending in ('.ko', '.ko.xz', '.ko.gz'):
        if name.endswith(ending):
            return name.removesuffix(ending).replace('_', '-')
    return None


def _plain(path, data):
    if path.endswith('.xz'):
        return lzma.decompress(data)
    return gzip.decompress(data) if path.endswith('.gz') else data


def _members(deb):
    """(path, reader) of each file of a package."""
    with process.start(['dpkg-deb', '--fsys-tarfile', deb], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as unpacks:
        with tarfile.open(fileobj=unpacks.stdout, mode='r|') as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, archive.extractfile(member)
        unpacks.stdout.read()
        said = unpacks.stderr.read().decode(errors='replace').strip()
        if unpacks.wait():
            raise LabError(f'{deb.name}: not a whole package: {said}')


def needs(module):
    """What a module's own information says it depends on."""
    start = module.find(b'\0depends=')
    if start < 0:
        return []
    words = module[start + len(b'\0depends='):].split(b'\0', 1)[0].decode()
    return [word.replace('_', '-') for word in words.split(',') if word]


def _read(debs, wanted, found):
    """Reads the wanted modules, and the kernel, out of packages."""
    kernel = None
    for deb in debs:
        try:
            for path, reader in _members(deb):
                name = _name(path)
                if name in wanted and name not in found:
                    found[name] = _plain(path, reader.read())
                elif re.match(r'vmlinuz(-|$)', PurePosixPath(path).name):
                    kernel = reader.read()
        except (tarfile.TarError, lzma.LZMAError, OSError) as error:
            raise LabError(f'{deb.name}: not a whole package: {error}') from error
    return kernel


def _zstd(data):
    try:
        done = process.run(['zstd', '-dcq'], given=data, stdout=subprocess.PIPE)
    except LabError:
        return b''
    return b'' if done.returncode else done.stdout


def _has_pvh_entry(elf):
    """Whether QEMU can start it: Xen's note 18 says where."""
    return any(struct.pack('<III', 4, size, 18) + b'Xen\0' in elf for size in (4, 8))


def _uncompressed(image):
    """The ELF file inside a bzImage: unpacking it here once, not at each boot under emulation,
    saves 3 s a boot. The image itself where that cannot be done.
    """
    if image[0x202:0x206] != b'HdrS':
        return image
    start, size = struct.unpack_from('<II', image, 0x248)
    start += ((image[0x1f1] or 4) + 1) * 512
    payload = image[start:start + size - 4]  # the last 4 bytes tell the size of what is inside
    elf = b''
    try:
        if payload.startswith(b'\xfd7zXZ\0'):
            elf = lzma.decompress(payload)
        elif payload.startswith(b'\x28\xb5\x2f\xfd'):
            elf = _zstd(payload)
    except lzma.LZMAError:
        pass
    return elf if elf.startswith(b'\x7fELF') and _has_pvh_entry(elf) else image


def _in_order(name, found, order):
    """A module after those it needs."""
    if name in order:
        return
    for needed in needs(found[name]):
        _in_order(needed, found, order)
    order.append(name)


def kernel(debs, made, others=()):
    """Writes `made`/kernel and `made`/modules/*.ko; the modules' names in the order to load.

    `others` are modules that are wanted besides KVM; one that is in no package is built in.
    """
    found = {}
    wanted = {*USUAL, *others}
    image = _read(debs, wanted, found)
    if image is None:
        raise LabError(f'{debs[0].name}: there is no vmlinuz in it')
    while True:
        missing = {name for module in found.values() for name in needs(module)} - set(found)
        missing |= {ROOT} - set(found)
        if not missing:
            break
        _read(debs, missing, found)
        if not missing <= set(found):
            raise LabError(f'{debs[-1].name}: there is no module {min(missing - set(found))}')
    order = []
    for root in (*others, ROOT):
        if root in found:
            _in_order(root, found, order)
    (made / 'kernel').write_bytes(_uncompressed(image))
    (made / 'modules').mkdir()
    for name in order:
        (made / 'modules' / f'{name}.ko').write_bytes(found[name])
    return order
