#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the lab says to data that is wrong: one line, status 8 or 16, and nothing else.

usage: data.py SOURCE
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

from pathlib import Path

SOURCE = Path(sys.argv.pop(1)).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import build, cache, cell, debian, guest, headers, initramfs  # noqa: E402
from lab import kernels, matrix, module, results, toolchain, unpack  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.held import held  # noqa: E402

GOOD = matrix.FILE.read_text(encoding='utf-8')


class Place(unittest.TestCase):
    """A test with a directory, and a cache, of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)
        self.addCleanup(os.environ.update, dict(os.environ))
        os.environ['XDG_CACHE_HOME'] = str(self.place / 'cache')

    def lab(self, *words):
        """(status, what it printed, what it complained of)."""
        done = subprocess.run([SOURCE / 'script' / 'lab', *words], capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def refused(self, text, *words, status=8):
        """The lab ends with that status and one line that has `text` in it."""
        got, out, err = self.lab(*words)
        self.assertEqual((got, out), (status, ''), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith('lab: '), err)
        self.assertIn(text, err)


class Matrix(Place):
    """The matrix file."""

    def broken(self, old, new, text):
        """The good matrix with one thing changed is refused, naming file and place."""
        self.assertIn(old, GOOD)
        path = self.place / 'matrix.toml'
        path.write_text(GOOD.replace(old, new, 1), encoding='utf-8')
        self.refused(text, '--matrix', path, 'list')
        self.refused(str(path), '--matrix', path, 'list')

    def test_not_toml(self):
        self.broken('[own]', '[own', 'line')

    def test_no_such_file(self):
        self.refused('No such file', '--matrix', self.place / 'none', 'list')

    def test_misspelt_key(self):
        self.broken('take = "newest"', 'takes = "newest"', 'kernel.debian-5.10: "take" is missing')

    def test_key_too_many(self):
        self.broken('take = "newest"', 'take = "newest"\nseries_ = "1"', 'unknown key "series_"')

    def test_wrong_kind(self):
        self.broken('holds = "0x207"', 'holds = 519', 'cpu.pku: "holds": expected str')

    def test_no_mask(self):
        self.broken('holds = "0x207"', 'holds = "many"', 'expected a mask in hex')

    def test_what_a_probe_cannot_learn_must_be_said(self):
        self.broken('holds = "0x207"\nunlearned', 'holds = "0x207"\nlearned',
                    'cpu.pku: "unlearned" is missing')

    def test_take_what(self):
        self.broken('take = "oldest"', 'take = "best"', 'expected one of: newest oldest all')

    def test_unknown_kernel_in_group(self):
        self.broken('"fixed", "leaky"', '"fixed", "leeky"', 'unknown kernel "leeky"')

    def test_unknown_cpu_in_group(self):
        self.broken('cpus = ["pku", "nopku"]', 'cpus = ["pkru"]', 'unknown CPU "pkru"')

    def test_unknown_cpu_of_an_exception(self):
        self.broken('on.noavx', 'on.nosuch', 'kernel.hook: "on": unknown CPU "nosuch"')

    def test_unknown_hook_in_group(self):
        self.broken('hooks = ["trim"]', 'hooks = ["trimm"]', 'unknown hook "trimm"')

    def test_a_hook_without_a_mask(self):
        self.broken('get = "0x0"', 'get = "none"', 'hook.trim: "get": expected a mask in hex')

    def test_a_hook_without_parameters(self):
        self.broken('parameters = "mode=trim"', 'parameter = "mode=trim"',
                    'hook.trim: "parameters" is missing')

    def test_no_states(self):
        self.broken('states = 10000', 'states = 0', '"states": expected a number from 1')

    def test_name_that_would_leave_the_cache(self):
        self.broken('[kernel.fixed]', '[kernel."../fixed"]', 'is no name')


class Command(Place):
    """The command line."""

    def test_unknown_kernel(self):
        self.refused('unknown kernel "nosuch"; there are: fixed', 'run', 'nosuch', status=16)

    def test_unknown_cpu(self):
        self.refused('unknown CPU "nosuch"; there are: pku', 'run', 'fixed/nosuch', status=16)

    def test_unknown_hook(self):
        self.refused('unknown hook "nosuch"; there are: trim', 'run', 'fixed/pku+nosuch',
                     status=16)

    def test_unknown_group(self):
        self.refused('unknown group "nosuch"; there are: default', 'run', '--group', 'nosuch', status=16)

    def test_usage(self):
        for words in (['--nosuch'], ['nosuch'], ['run', '--states', '0'],
                      ['run', '--jobs', 'two']):
            self.refused('--help', *words, status=16)

    def test_no_build(self):
        self.refused('not there', 'run', 'fixed/pku', '--build', self.place)

    def test_list_has_every_cell_once(self):
        status, out, _ = self.lab('list')
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertEqual(len(lines), len(set(lines)))
        self.assertIn('default\t10000\tstrict/nopku', lines)
        long = [line for line in lines if line.startswith('long\t')]
        self.assertGreater(len(long), 80)
        for line in lines:
            group, states, name = line.split('\t')
            if group == 'default' and '+' in name:
                self.assertIn(f'hook\t{states}\t{name}', lines)
            elif group == 'default':
                self.assertIn(f'long\t100000\t{name}', long)


def deb(place, files, depends=''):
    """A package with these files, as dpkg makes it."""
    root = place / 'root'
    (root / 'DEBIAN').mkdir(parents=True)
    (root / 'DEBIAN' / 'control').write_text(
        'Package: linux-image-1-amd64\nVersion: 1\nArchitecture: amd64\nMaintainer: lab\n'
        + (f'Depends: {depends}\n' if depends else '') + 'Description: none\n',
        encoding='ascii')
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    made = place / 'image.deb'
    subprocess.run(['dpkg-deb', '--build', '--root-owner-group', root, made], check=True,
                   stdout=subprocess.DEVNULL)
    return made


def kvm_module(*needed):
    """As much of a module as is looked at."""
    return b'\x7fELF\0license=GPL\0depends=' + ','.join(needed).encode() + b'\0name=x\0'


class Unpack(Place):
    """Kernel packages."""

    FILES = {'boot/vmlinuz-1': os.urandom(100000),
             'lib/modules/1/kernel/kvm-amd.ko': kvm_module('kvm', 'ccp'),
             'lib/modules/1/kernel/kvm.ko': kvm_module('irqbypass', 'odd_one'),
             'lib/modules/1/kernel/ccp.ko': kvm_module(),
             'lib/modules/1/kernel/irqbypass.ko': kvm_module(),
             'lib/modules/1/kernel/elsewhere/odd_one.ko': kvm_module()}

    def test_modules_in_the_order_to_load(self):
        made = self.place / 'made'
        made.mkdir()
        order = unpack.kernel([deb(self.place, self.FILES)], made)
        self.assertEqual(order, ['irqbypass', 'odd-one', 'kvm', 'ccp', 'kvm-amd'])
        self.assertEqual((made / 'kernel').read_bytes(), self.FILES['boot/vmlinuz-1'])
        self.assertEqual((made / 'modules' / 'kvm.ko').read_bytes(),
                         self.FILES['lib/modules/1/kernel/kvm.ko'])

    def refused(self, text, files, cut=None):
        """Such a package is refused."""
        package = deb(self.place, files)
        if cut:
            package.write_bytes(package.read_bytes()[:cut])
        with self.assertRaises(LabError) as caught:
            unpack.kernel([package], self.place)
        self.assertIn(text, str(caught.exception))

    def test_truncated(self):
        self.refused('not a whole package', self.FILES, 50000)

    def test_no_package(self):
        self.refused('not a whole package', self.FILES, 10)

    def test_no_kernel(self):
        self.refused('no vmlinuz', {'lib/modules/1/kernel/kvm-amd.ko': kvm_module()})

    def test_no_kvm(self):
        self.refused('no module kvm-amd', {'boot/vmlinuz-1': b'x'})

    def test_module_that_is_nowhere(self):
        self.refused('no module gone', {'boot/vmlinuz-1': b'x', 'kvm-amd.ko': kvm_module('gone')})


class Cache(Place):
    """What is kept."""

    def test_an_error_leaves_nothing(self):
        with self.assertRaises(LabError), cache.making(cache.place() / 'thing') as made:
            (made / 'half').touch()
            raise LabError('no')
        self.assertEqual(list(cache.place().iterdir()), [])

    def test_what_a_kill_left_is_swept(self):
        left = cache.place() / '.making-x'
        left.mkdir()
        with cache.locked():
            self.assertFalse(left.exists())

    def test_a_suite_that_is_gone_fails_its_kernels(self):
        row = matrix.Row('gone', preset='debian-12', suites=('nosuchsuite',), take='newest')
        with self.assertRaises(LabError) as caught:
            kernels.get(matrix.Matrix('', (), {'gone': row}, {}, {}), 'gone')
        self.assertIn('suite nosuchsuite: apt cannot fetch its index', str(caught.exception))

    def test_an_index_out_of_date_is_renewed_once(self):
        suite = debian.Suite('nosuchsuite')
        suite.dir.mkdir(parents=True)
        suite.index.write_text('{"linux-image-6.1.0-2-amd64": {"version": "6.1.10-1", '
                               '"depends": ""}}', encoding='ascii')
        row = matrix.Row('old', preset='debian-12', suites=('nosuchsuite',), take='newest')
        err = io.StringIO()
        with self.assertRaises(LabError) as caught, contextlib.redirect_stderr(err):
            kernels.get(matrix.Matrix('', (), {'old': row}, {}, {}), 'old')
        self.assertIn('linux-image-6.1.0-2-amd64 6.1.10-1: apt cannot fetch it',
                      str(caught.exception))
        self.assertIn('the one of 0 hours ago is used', err.getvalue())

    def test_key_follows_patch_and_source(self):
        data = matrix.load()
        keys = {build.key(data.kernel(name), version)
                for name in ('fixed', 'leaky', 'strict') for version in ('1', '2')}
        self.assertEqual(len(keys), 6)

    def test_patch_that_is_not_there(self):
        row = matrix.Row('odd', preset='debian-12', patches=('nosuch',))
        with self.assertRaises(LabError) as caught:
            build.key(row, '1')
        self.assertIn('nosuch.patch', str(caught.exception))

    def test_configuration_of_its_own(self):
        data = matrix.load()
        plain, debug = data.kernel('leaky'), data.kernel('debug')
        same = matrix.Row('same', preset=plain.preset, patches=plain.patches, config='debug')
        self.assertNotEqual(build.key(plain, '1'), build.key(same, '1'))
        self.assertNotEqual(build.source_tree(plain, '1'), build.source_tree(debug, '1'))

    def test_configuration_that_is_not_there(self):
        row = matrix.Row('odd', preset='debian-12', patches=(), config='nosuch')
        with self.assertRaises(LabError) as caught:
            build.key(row, '1')
        self.assertIn('config-nosuch', str(caught.exception))


class Module(Place):
    """The kernel module's build, with a make that a test says what it does."""

    def setUp(self):
        super().setUp()
        self.source = self.place / 'kmod'
        (self.place / 'core').mkdir()
        (self.place / 'core' / 'rule.c').write_text('int rule;\n', encoding='ascii')
        self.source.mkdir()
        (self.source / 'Kbuild').write_text('obj-m := xferry.o\n', encoding='ascii')
        (self.source / 'core').symlink_to('../core')
        self.kdir = self.place / 'kdir'
        self.kdir.mkdir()
        self.makefile('modules:\n\tcp /bin/true $(M)/xferry.ko\n')
        self.addCleanup(setattr, headers, 'get', headers.get)
        self.target = headers.Headers(self.kdir, self.kdir, 'gcc', None)
        headers.get = lambda *_: self.target
        self.kernel = kernels.Kernel('some', None, (), 'linux', '1', 'suite', 'preset')

    def makefile(self, text):
        """What the kernel's own Makefile does."""
        (self.kdir / 'Makefile').write_text(text, encoding='ascii')

    def get(self):
        """The module."""
        with contextlib.redirect_stderr(io.StringIO()):
            return module.get(None, self.kernel, self.source)

    def test_it_is_built_once(self):
        first = self.get()
        self.assertTrue(first.read_bytes().startswith(b'\x7fELF'))
        self.makefile('modules:\n\tfalse\n')
        self.assertEqual(self.get(), first)

    def test_a_change_of_any_source_makes_another(self):
        found = {self.get()}
        (self.place / 'core' / 'rule.c').write_text('int other;\n', encoding='ascii')
        found.add(self.get())
        (self.source / 'Kbuild').write_text('obj-m := xferry.o\n\n', encoding='ascii')
        found.add(self.get())
        self.assertEqual(len(found), 3)

    def test_another_kernel_is_another_module(self):
        first = self.get()
        self.target = headers.Headers(self.kdir, self.place, 'gcc', None)
        self.assertNotEqual(self.get(), first)

    def test_what_a_build_left_in_the_tree_is_no_source(self):
        first = self.get()
        for name in ('xferry.ko', 'xferry.o', '.xferry.o.cmd', 'Module.symvers'):
            (self.source / name).write_text('old', encoding='ascii')
        self.assertEqual(self.get(), first)

    def test_the_tree_is_left_as_it_was(self):
        self.get()
        self.assertEqual({path.name for path in self.source.iterdir()}, {'Kbuild', 'core'})

    def test_one_that_does_not_build(self):
        self.makefile('modules:\n\t@echo "get.c:1:1: error: no such thing" >&2; false\n')
        with self.assertRaises(LabError) as caught:
            self.get()
        self.assertRegex(str(caught.exception), r'^module for some \(1\): does not build \(see '
                         r'(\S+)\): get.c:1:1: error: no such thing$')
        log = Path(re.search(r'see (\S+)\)', str(caught.exception))[1])
        self.assertIn('no such thing', log.read_text(encoding='utf-8'))
        self.assertEqual(list((cache.place() / 'modules').glob('linux*')), [])

    def test_no_source(self):
        self.source = self.place / 'none'
        with self.assertRaisesRegex(LabError, "none: there is no module's source"):
            self.get()

    def test_no_namespace_for_another_compiler(self):
        self.target = headers.Headers(self.kdir, self.kdir, 'gcc-0', 'suite')
        (self.place / 'unshare').write_text('#!/bin/sh\necho unshare: not here >&2; exit 1\n',
                                            encoding='ascii')
        (self.place / 'unshare').chmod(0o755)
        os.environ['PATH'] = f'{self.place}:{os.environ["PATH"]}'
        with self.assertRaisesRegex(LabError, 'no namespace for another compiler: .*not here'):
            self.get()

    def test_own_headers_follow_source_and_configuration(self):
        data = matrix.load()
        fixed = data.kernel('fixed')
        first = headers.own_key(fixed, '1')
        self.assertEqual(headers.own_key(data.kernel('leaky'), '1'), first)
        self.assertNotEqual(headers.own_key(fixed, '2'), first)
        self.assertNotEqual(headers.own_key(data.kernel('debug'), '1'), first)
        self.addCleanup(setattr, build, 'CONFIG', build.CONFIG)
        build.CONFIG = self.source / 'Kbuild'
        self.assertNotEqual(headers.own_key(fixed, '1'), first)

    def test_the_compiler_that_headers_name(self):
        for needs, found in ((['linux-kbuild-6.1', 'linux-compiler-gcc-12-x86'], 'gcc-12'),
                             (['gcc-16-for-host'], 'gcc-16')):
            self.assertEqual(headers.compiler(needs, 'x'), found)
        with self.assertRaisesRegex(LabError, 'x: names no compiler'):
            headers.compiler(['gcc', 'make'], 'x')

    def test_what_a_package_needs(self):
        package = deb(self.place, {'x': b'x'}, depends='aa (= 1:2), b-1.0 | c, linux-kbuild-6.1')
        self.assertEqual(headers.depends(package), ['aa', 'b-1.0', 'linux-kbuild-6.1'])


class Judged(Place):
    """What a cell with the module is held to."""

    TRIM = matrix.load().hook('trim')
    OBSERVE = matrix.load().hook('observe')
    COUNTED = {f'{way}_{what}': 0 for way in ('set', 'get')
               for what in ('superfluous', 'trimmed', 'distrusted', 'failed')}

    def counted(self, hook, **counters):
        """What is said of such counters."""
        return list(cell._counted(hook, self.COUNTED | counters))

    def test_counters_as_they_should_be(self):
        self.assertEqual(self.counted(self.TRIM, set_trimmed=7), [])
        self.assertEqual(self.counted(self.OBSERVE, set_superfluous=7), [])
        self.assertEqual(list(cell._counted(self.TRIM, {})), [])

    def test_one_that_trims_and_was_to_observe(self):
        self.assertEqual(self.counted(self.OBSERVE, set_superfluous=1, set_trimmed=1),
                         ['the module counts set_trimmed 1, and was not to trim'])
        self.assertEqual(self.counted(self.TRIM, set_trimmed=1, get_trimmed=2),
                         ['the module counts get_trimmed 2, and was not to trim'])

    def test_one_that_does_nothing(self):
        for hook in (self.TRIM, self.OBSERVE):
            self.assertEqual(self.counted(hook), ['the module has met nothing superfluous'])

    def test_one_that_lost_its_trust(self):
        self.assertEqual(self.counted(self.TRIM, set_trimmed=1, set_distrusted=3),
                         ['the module counts set_distrusted 3, expected 0'])

    def test_a_refusal(self):
        row = matrix.Row('old', preset='x', refuses='no function')
        some = matrix.Row('new', preset='x')
        for one, hook, refusal, said in (
                (row, self.TRIM, 'EINVAL: there is no function here', None),
                (row, None, None, None), (some, self.TRIM, None, None),
                (row, self.TRIM, None, 'the module loads, which the matrix says it does not'),
                (row, self.TRIM, 'EPERM', 'does not load: EPERM, expected "no function"'),
                (some, self.TRIM, 'EPERM', 'the module does not load: EPERM')):
            found = list(cell._loads(one, hook, refusal))
            self.assertEqual(len(found), 1 if said else 0)
            self.assertIn(said or '', ''.join(found))

    def test_what_a_kernel_that_refuses_does(self):
        data = matrix.load()
        expected = {hook: cell._expected(data, data.kernel(kernel),
                                         matrix.Cell(kernel, 'pku', hook), {})['module']
                    for kernel, hook in (('fixed', None), ('fixed', 'observe'),
                                         ('debian-5.10', 'trim'), ('fixed', 'pkru'))}
        self.assertEqual(expected, {None: None, 'observe': None, 'trim': None,
                                    'pkru': {'set': '0x200', 'get': '0x0'}})

    def test_what_init_reports(self):
        report = guest.Report('== hook: refused: Invalid argument: xferry: not loaded: no\n'
                              '== kvm: ready\n== begin a\nsaid\n\n== end a exit 3\n'
                              '== tainted: 12928\n\n== done\n')
        self.assertEqual(report.kvm(), 'ready')
        self.assertEqual(report.refusal(), 'Invalid argument: xferry: not loaded: no')
        self.assertEqual(report.output('a'), ('said\n\n', 'exit 3'))
        self.assertEqual((report.unloaded(), report.stats()), (False, {}))
        self.assertEqual(report.taints(), ['an oops', 'a warning'])
        report = guest.Report('== hook: loaded\n== begin hook-stats\nset_clean 17\n\n'
                              '== end hook-stats exit 0\n== hook: unloaded\n== tainted: 4096\n')
        self.assertEqual((report.unloaded(), report.refusal(), report.taints(), report.stats()),
                         (True, None, [], {'set_clean': 17}))


class Probed(Place):
    """A probed profile held against the matrix."""

    def differences(self, kernel='hook', cpu='noavx', learned=(), unlearned=()):
        """What is said of a profile that is as expected, but for what was (not) learned."""
        data = matrix.load()
        one, on = data.cpu(cpu), data.kernel(kernel).on[cpu]
        expected = dict.fromkeys(cell.BEHAVIOUR, 'so') | on
        missing = ({*one.unlearned, *on['unlearned']} - {*learned}) | {*unlearned}
        profile = dict.fromkeys(cell.BEHAVIOUR, 'so') | {
            'supported': f'{one.holds:#x}', 'not_learned': dict.fromkeys(missing, 'too dark')}
        return list(cell._differences(profile | expected, expected, one))

    def test_as_stated(self):
        self.assertEqual(self.differences(), [])

    def test_a_probe_that_stops_learning(self):
        self.assertEqual(self.differences(unlearned=['set', 'after_run']),
                         ['after_run was not learned: too dark', 'set was not learned: too dark'])

    def test_a_probe_that_learns_what_it_cannot(self):
        for key in ('xfd_clears', 'get_after_cpuid'):
            self.assertEqual(self.differences(learned=[key]),
                             [f'{key} was learned, which the matrix says cannot be'])


class Apt(Place):
    """An apt that a test says what it does; like the real one it does not wait for another."""

    def setUp(self):
        super().setUp()
        self.bin = self.place / 'bin'
        self.bin.mkdir()
        self.addCleanup(setattr, debian, '_failed', {})
        self.program('apt-get', f"""case "$*" in
            *indextargets*) echo /mirror ;;
            *update*)
                mkdir {self.place}/busy || exit 100
                sleep 0.3
                rmdir {self.place}/busy
                echo >>{self.place}/updates ;;
            esac""")
        self.program('apt-cache', 'printf "Package: linux-image-1-amd64\\nVersion: 1\\n\\n"')

    def program(self, name, text):
        """A program in front of all others."""
        (self.bin / name).write_text(f'#!/bin/sh\n{text}\n', encoding='ascii')
        (self.bin / name).chmod(0o755)
        os.environ['PATH'] = f'{self.bin}:{os.environ["PATH"]}'

    def without(self, *names):
        """A PATH that has all but these."""
        for directory in os.environ['PATH'].split(':'):
            for program in Path(directory).glob('*'):
                # /usr/bin may hold directories: X11.
                wanted = program.is_file() and program.name not in names
                if wanted and not (self.bin / program.name).exists():
                    (self.bin / program.name).symlink_to(program)
        for name in names:
            (self.bin / name).unlink(missing_ok=True)
        os.environ['PATH'] = str(self.bin)

    def run_cell(self, cpu='pku', place=None):
        """Why a cell of a Debian kernel fails; nothing is booted."""
        row = matrix.Row('some', preset='debian-12', suites=('suite',), take='newest')
        data = matrix.Matrix('', (), {'some': row}, {cpu: matrix.Cpu(cpu, 'max', 7)}, {})
        result = cell.run(data, matrix.Cell('some', cpu), None, cell.Asked(1),
                          place or self.place / 'cell')
        self.assertEqual(len(result.reasons), 1)
        self.assertEqual(len(result.reasons[0].splitlines()), 1)
        return result.reasons[0]

    def test_an_index_is_fetched_by_one_for_all(self):
        script = (f'import sys; sys.path.insert(0, {str(SOURCE)!r}); '
                  'from concurrent.futures import ThreadPoolExecutor as Pool; '
                  'from lab import debian; '
                  'ask = lambda _: debian.Suite("suite").packages(); '
                  'print(*Pool(2).map(ask, range(2)))')
        labs = [subprocess.Popen([sys.executable, '-B', '-c', script], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for one in labs:
            out, err = one.communicate()
            self.assertEqual(err, '')
            self.assertEqual(out.count('linux-image-1-amd64'), 2, out)
        self.assertEqual((self.place / 'updates').read_text(encoding='ascii'), '\n')

    def test_an_index_is_renewed_when_asked(self):
        for _ in range(2):
            debian.Suite('suite').packages(renew=True)
        self.assertEqual((self.place / 'updates').read_text(encoding='ascii'), '\n\n')

    def test_the_cache_is_held_while_apt_downloads(self):
        self.program('apt-get', f'flock -n {cache.place()}/lock echo free >{self.place}/said')
        with self.assertRaises(LabError), cache.locked():
            debian.Suite('suite').packages()
        with self.assertRaises(LabError):
            debian.Suite('suite').download('name', '1', self.place)
        self.assertEqual((self.place / 'said').read_text(encoding='ascii'), '')

    def test_an_index_that_cannot_be_fetched_is_tried_once(self):
        self.program('apt-get', f"""case "$*" in
            *indextargets*) echo /mirror ;;
            *) echo >>{self.place}/updates; exit 100 ;;
            esac""")
        for _ in range(2):
            self.assertIn('suite suite: apt cannot fetch its index', self.run_cell())
        self.assertEqual((self.place / 'updates').read_text(encoding='ascii'), '\n')

    def test_a_damaged_index(self):
        suite = debian.Suite('suite')
        suite.packages()
        suite.index.write_text('{"linux', encoding='ascii')
        self.assertRegex(self.run_cell(), 'index.json: damaged .*; remove it')

    def test_apt_cache_fails(self):
        self.program('apt-cache', 'echo "E: no room" >&2; exit 100')
        self.assertEqual(self.run_cell(), 'suite suite: apt-cache: E: no room')

    def test_an_apt_that_fetches_nothing_and_calls_it_a_success(self):
        self.program('apt-cache', '')
        self.assertIn('suite suite: apt fetched no index', self.run_cell())
        self.assertFalse(debian.Suite('suite').index.exists())

    def test_no_apt(self):
        self.without('apt-get')
        self.assertEqual(self.run_cell(), 'apt-get is not installed')

    def test_no_dpkg(self):
        self.program('apt-cache', 'for version in 1 2; do printf "Package: linux-image-%s-amd64\\n'
                     'Version: %s\\n\\n" $version $version; done')
        self.without('dpkg')
        self.assertEqual(self.run_cell(), 'dpkg is not installed')

    def test_no_dpkg_deb(self):
        package = deb(self.place, {'boot/vmlinuz-1': b'x'})
        self.without('dpkg-deb')
        with self.assertRaisesRegex(LabError, '^dpkg-deb is not installed$'):
            unpack.kernel([package], self.place)

    def test_a_place_that_cannot_be(self):
        self.assertEqual(self.run_cell(place='/proc/nope/cell'),
                         '/proc/nope: No such file or directory')

    def test_no_place_for_the_cache(self):
        os.environ['XDG_CACHE_HOME'] = '/proc/nope'
        self.assertIn('/proc/nope', self.run_cell())

    def test_a_full_disk(self):
        debian.Suite('suite').dir.mkdir(parents=True)
        (debian.Suite('suite').dir / 'sources.list').symlink_to('/dev/full')
        self.assertEqual(self.run_cell(), 'No space left on device')


class Index(Place):
    """Which kernels an index has."""

    def setUp(self):
        super().setUp()
        suite = debian.Suite('suite')
        suite.dir.mkdir(parents=True)
        suite.index.write_text('''{
            "linux-image-6.1.0-2-amd64": {"version": "6.1.10-1", "depends": "kmod"},
            "linux-image-6.1.0-9-amd64": {"version": "6.1.9-1", "depends": "kmod"},
            "linux-image-6.1-amd64": {"version": "6.1.10-1",
                                      "depends": "linux-image-6.1.0-2-amd64 (= 6.1.10-1)"},
            "linux-image-6.1.0-2-rt-amd64": {"version": "6.1.11-1", "depends": "kmod"},
            "linux-image-6.12-amd64": {"version": "6.12.1-1",
                "depends": "linux-binary-6.12-amd64 (= 1), linux-modules-6.12-amd64 (= 1)"},
            "linux-binary-6.12-amd64": {"version": "6.12.1-1", "depends": ""},
            "linux-image-7.3-amd64": {"version": "7.3~rc7-1", "depends": "kmod"}
        }''', encoding='ascii')
        self.suite = suite

    def found(self, **more):
        """The versions that a row stands for."""
        row = matrix.Row('row', preset='x', suites=('suite',), take='all', **more)
        return [version for version, _, packages in debian.candidates(row)
                if not isinstance(packages, str)]

    def test_versions_are_in_order_and_of_the_series(self):
        self.assertEqual(self.found(series='6.1'), ['6.1.9-1', '6.1.10-1'])

    def test_bounds(self):
        self.assertEqual(self.found(since='6.1.10', below='7.3'), ['6.1.10-1', '7.3~rc7-1'])
        self.assertEqual(self.found(series='6.1', below='6.1.10'), ['6.1.9-1'])

    def test_one_whose_modules_are_gone_says_so(self):
        row = matrix.Row('row', preset='x', suites=('suite',), series='6.12', take='newest')
        with self.assertRaises(LabError) as caught:
            kernels.get(matrix.Matrix('', (), {'row': row}, {}, {}), 'row')
        self.assertIn('linux-modules-6.12-amd64 is no longer carried', str(caught.exception))


class Archive(Place):
    """The initramfs."""

    def test_as_cpio_reads_it(self):
        archive = initramfs.Archive()
        archive.file('a/b/c', b'text')
        archive.link('l', 'a/b')
        data = archive.bytes()
        names, at = {}, 0
        while True:
            self.assertEqual(data[at:at + 6], b'070701')
            fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = data[at + 110:at + 109 + fields[11]].decode()
            at += 110 + fields[11]
            at += -at % 4
            names[name] = (fields[1], fields[9], fields[10], data[at:at + fields[6]])
            at += fields[6]
            at += -at % 4
            if name == 'TRAILER!!!':
                break
        self.assertEqual(at, len(data))
        self.assertEqual(names['dev/kvm'], (0o20600, 10, 232, b''))
        self.assertEqual(names['a/b/c'], (0o100644, 0, 0, b'text'))
        self.assertEqual(names['l'], (0o120777, 0, 0, b'a/b'))
        order = list(names)
        self.assertLess(order.index('a'), order.index('a/b'))
        self.assertLess(order.index('a/b'), order.index('a/b/c'))


class Document(Place):
    """The results that are kept and the table made of them."""

    def test_document_has_the_table_of_the_results(self):
        status, _, err = self.lab('table', '--check')
        self.assertEqual(status, 0, err)

    def test_every_result_kept_is_as_the_matrix_expects(self):
        kept = results.load()
        data = matrix.load()
        for group in ('long', 'hook'):
            for cell in data.group(group).cells:
                self.assertTrue(cell in kept, f'no result of {cell}')
        for cell, one in kept.items():
            with self.subTest(cell=str(cell)):
                group = data.group('hook' if cell.hook else 'long')
                self.assertEqual(one['differences'], 0)
                self.assertEqual(int(one['holds'], 16), data.cpu(cell.cpu).holds)
                self.assertGreaterEqual(one['states'], group.states)

    def test_every_clause_is_tried_and_has_its_reason(self):
        text = (SOURCE / 'docs' / 'contract.md').read_text(encoding='utf-8')
        written = re.findall(r'^\*\*([GSCXH]\d+)\.(.*?)(?=^\*\*|^#)', text, re.M | re.S)
        source = (SOURCE / 'lab' / 'contract.c').read_text(encoding='utf-8')
        self.assertEqual([clause for clause, _ in written],
                         re.findall(r'\{ "(\w+)", clause_\w+ \}', source))
        for clause, words in written:
            self.assertIn('*Why:*', words, clause)

    def test_a_clause_said_to_be_broken_is_broken_somewhere(self):
        data, kept = matrix.load(), results.load()
        for preset, clauses in data.breaks.items():
            broken = {clause for cell, one in kept.items()
                      if data.kernel(cell.kernel).preset == preset and not cell.hook
                      for clause, said in one['contract'].items() if said['verdict'] == 'broken'}
            self.assertLessEqual(set(clauses), broken, preset)

    def test_a_clause_said_to_be_broken_by_a_hook_is_broken_somewhere(self):
        data, kept = matrix.load(), results.load()
        for name, hook in data.hooks.items():
            broken = {clause for cell, one in kept.items() if cell.hook == name
                      for clause, said in one['contract'].items() if said['verdict'] == 'broken'}
            self.assertLessEqual(set(hook.breaks), broken, name)

    def test_two_that_save_at_once_lose_nothing(self):
        path = self.place / 'results.json'
        data = matrix.load()
        cells = [matrix.Cell('fixed', 'pku'), matrix.Cell('fixed', 'nopku', 'trim')]
        done = [types.SimpleNamespace(
            cell=one, kernel=one.kernel, cpu=one.cpu, hook=one.hook, refusal=None, stats={},
            package='p', version='1', passed=True, contract={},
            profile={'supported': '0x7', 'not_learned': dict.fromkeys(cell.BEHAVIOUR)},
            differ={'states': 1, 'accepted': 1, 'refused': {}, 'differences': 0, 'explained': []})
            for one in cells]
        results.save(data, done[:1], path)
        first = path.read_text(encoding='utf-8')
        path.unlink()
        second = threading.Thread(target=results.save, args=(data, done[1:], path))
        with held(path.parent):
            second.start()
            time.sleep(0.2)
            path.write_text(first, encoding='utf-8')
        second.join()
        self.assertEqual(list(results.load(path)), cells)
        self.assertEqual([one.name for one in self.place.iterdir() if one.is_file()],
                         ['results.json'])

    def test_marks_are_needed(self):
        path = self.place / 'document.md'
        path.write_text('no marks', encoding='ascii')
        with self.assertRaisesRegex(LabError, 'document.md: the marks'):
            results.document(path, 'table')

    def test_results_that_are_no_results(self):
        path = self.place / 'results.json'
        path.write_text('[1]', encoding='ascii')
        with self.assertRaises(LabError):
            results.load(path)


if __name__ == '__main__':
    unittest.main()
