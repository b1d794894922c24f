#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the stories stand on, piece by piece, and what they say to words that are wrong.

Needs in the environment: SOURCE, the source tree; XFERRY, the command.
"""

import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from importlib.machinery import SourceFileLoader

SOURCE = pathlib.Path(os.environ['SOURCE'])
sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCE), str(SOURCE / 'tests' / 'qemu')]

from qmp import Qemu  # noqa: E402
from lab import (matrix, payload, story, story_document, story_plan, story_qcow2,  # noqa: E402
                 story_table)
from lab.errors import LabError  # noqa: E402
from lab.payload import Sight  # noqa: E402
from lab.story_guest import Loaded, refusals  # noqa: E402
from lab.story_qcow2 import drive, new_image  # noqa: E402
from lab.story_record import Record, last_words  # noqa: E402

XFERRY = os.environ['XFERRY']
STORY = SOURCE / 'lab' / 'story.py'
RESULTS = SOURCE / 'lab' / 'results'


def make_streams():
    """tests/qemu/make-streams as a module: its reader of images is not ours."""
    loader = SourceFileLoader('make_streams', str(SOURCE / 'tests/qemu/make-streams'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Place(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = pathlib.Path(directory.name)


class Sights(unittest.TestCase):
    """What is made of a guest's console."""

    def test_words(self):
        for text, word, lost in (('', 'silent', []), ('...', 'intact', []),
                                 ('..FS', 'lost', ['x87', 'sse']), ('AP', 'lost', ['avx', 'pkru']),
                                 ('.p..', 'lost', ['pkru-at-reset']), ('..k..', 'intact', []),
                                 ('!0d', 'lost', ['exception']), ('c...', 'intact', []),
                                 ('c', 'silent', [])):
            with self.subTest(text):
                self.assertEqual((Sight(text).word, Sight(text).lost), (word, lost))
        self.assertTrue(Sight('.c.').new_cpu)
        self.assertFalse(Sight('...').new_cpu)

    def test_short(self):
        self.assertEqual(Sight('.' * 50).short(), '...')
        self.assertEqual(Sight('FSP' * 50).short(), 'FSPFSPFSP')
        self.assertEqual(Sight('..p' + '.' * 9).short(), '..p...')

    def test_rom(self):
        plain, pke = payload.build(), payload.build(payload.SETS_PKE)
        self.assertEqual(len(plain), payload.SIZE)
        self.assertEqual([i for i in range(len(plain)) if plain[i] != pke[i]], [payload.CONFIG])


class Traces(unittest.TestCase):
    """What KVM answered, as strace tells it."""

    def test_refusals(self):
        self.assertEqual(refusals(
            '35    ioctl(13, KVM_SET_XCRS, 0x7f) = -1 EINVAL (Invalid argument)\n'
            '35    ioctl(13, KVM_SET_TSC_KHZ, 0x1) = -1 EINVAL (Invalid argument)\n'
            '35    ioctl(13, KVM_SET_XSAVE, 0x7f) = 0\n'
            '36    ioctl(13, KVM_SET_XSAVE, 0x7 <unfinished ...>\n'
            '35    ioctl(13, KVM_RUN, 0x7f) = -1 EINTR (Interrupted system call)\n'
            '36    <... ioctl resumed>) = -1 EPERM (Operation not permitted)\n'
            '36    <... ioctl resumed>) = -1 EINVAL (Invalid argument)\n'),
            ['KVM_SET_XCRS: EINVAL', 'KVM_SET_XSAVE: EPERM'])

    def test_last_words(self):
        self.assertEqual(last_words('qemu-system-x86_64: warning: a; qemu-system-x86_64: b: c'),
                         'b: c')

    def test_ends(self):
        self.assertEqual(Loaded(status=1).word, 'exit')
        self.assertEqual(Loaded(status=139).word, 'crash')
        self.assertEqual(Loaded(sight=Sight('...')).word, 'intact')


class Images(Place):
    """The reader of qcow2 images, against a real one and against another reader."""

    def setUp(self):
        super().setUp()
        if not shutil.which('qemu-system-x86_64') or not shutil.which('qemu-img'):
            self.skipTest('no QEMU')
        self.image = self.place / new_image(self.place / 'disk.qcow2')
        (self.place / 'rom').write_bytes(payload.build())
        args = [word.replace('/mnt/', f'{self.place}/') for word in drive(self.image.name)]
        with Qemu(['qemu-system-x86_64'], ['-S', '-accel', 'tcg', '-m', '16', '-bios',
                  str(self.place / 'rom'), *args]) as qemu:
            self.assertEqual(qemu.hmp('savevm s0'), '')

    def test_reads(self):
        data = story_qcow2.find(self.image, 's0').read()
        self.assertEqual(data, make_streams().vm_state(self.image.read_bytes()))
        self.assertTrue(data.startswith(b'QEVM'))

    def test_edits(self):
        snapshot = story_qcow2.find(self.image, 's0')
        data = snapshot.read()
        # Over the border of two clusters, and somewhere inside.
        edits = [{'offset': at, 'length': 8, 'old': data[at:at + 8].hex(), 'new': '11' * 8}
                 for at in (snapshot.cluster - 3, 100)]
        if None in snapshot.places[:2]:
            self.fail('the state begins with a cluster that has no place')
        snapshot.apply(edits)
        wanted = bytearray(data)
        for edit in edits:
            wanted[edit['offset']:edit['offset'] + 8] = b'\x11' * 8
        self.assertEqual(make_streams().vm_state(self.image.read_bytes()), bytes(wanted))
        subprocess.run(['qemu-img', 'check', '-q', str(self.image)], check=True)
        with self.assertRaisesRegex(LabError, 'is not as it was judged'):
            snapshot.apply(edits)

    def test_refuses(self):
        with self.assertRaisesRegex(LabError, 'no snapshot named s1'):
            story_qcow2.find(self.image, 's1')
        (self.place / 'raw').write_bytes(bytes(512))
        with self.assertRaisesRegex(LabError, 'not a qcow2 image'):
            story_qcow2.find(self.place / 'raw', 's0')
        data = bytearray(self.image.read_bytes())
        data[79] |= 16      # extended L2 entries
        (self.place / 'extended').write_bytes(data)
        with self.assertRaisesRegex(LabError, 'does not know'):
            story_qcow2.find(self.place / 'extended', 's0')


class Plans(Place):
    """lab/journeys.toml, and files like it that are wrong."""

    GOOD = '[story.a]\ntitle = "t"\ntext = "x"\n'
    ONE = ('[[journey]]\nstory = "a"\nname = "n"\nguest = "qemu64"\nfrom = "leaky/pku"\n'
            'hops = [{ to = "strict/pku" }]\nshows = "refused"\n')

    def load(self, text):
        """The journeys of a file."""
        path = self.place / 'journeys.toml'
        path.write_text(text, encoding='utf-8')
        return story_plan.load(matrix.load(), path)

    def test_ours(self):
        journeys = story_plan.load(matrix.load())
        self.assertEqual(sorted({journey.story for journey in journeys}), list('abcdefgh'))
        for story in 'ab':
            shown = {journey.shows for journey in journeys if journey.story == story}
            self.assertEqual(shown, {'accepted', 'refused'})

    def test_good(self):
        self.assertEqual(self.load(self.GOOD + self.ONE)[0].hosts, ['leaky/pku', 'strict/pku'])

    def test_wrong(self):
        for old, new, said in (
                ('story = "a"', '', '"story" is missing'),
                ('story = "a"', 'story = "z"', '"story": expected one of: a'),
                ('title = "t"', '', '"title" is missing'),
                ('[story.a]', '[storey.a]', '"story" is missing'),
                ('story = "a"', 'story = 1', '"story": expected str'),
                ('guest =', 'gest = "x"\nguest =', 'unknown key "gest"'),
                ('to =', 'tu =', '"to" is missing'),
                ('leaky/pku', 'leaky', 'expected KERNEL/CPU'),
                ('leaky/pku', 'nosuch/pku', 'unknown kernel "nosuch"'),
                ('leaky/pku', 'every-6.1/pku', 'a host is made of one kernel'),
                ('strict/pku', 'strict/pku+nosuch', 'unknown hook "nosuch"'),
                ('strict/pku', 'strict/nosuch', 'unknown CPU "nosuch"'),
                ('"refused"', '"maybe"', '"shows": expected one of'),
                ('shows', 'by = "foot"\nshows', '"by": expected one of'),
                ('shows', 'by = "rollback"\nshows', '"since": expected one of'),
                ('hops = [{ to = "strict/pku" }]', '', 'too few or too many'),
                ('{ to = "strict/pku" }]', '{ to = "strict/pku" }, { to = "fixed/pku" }]\n'
                 'by = "live"', 'too few or too many'),
                ('to = "strict/pku" }]', 'to = "strict/pku", repair = "all" }]\nby = "live"',
                 '"repair": expected one of: guard at the source'),
                ('to = "strict/pku" }]', 'to = "leaky/pku" }]\nby = "live"',
                 'expected another host'),
                ('to = "strict/pku" }]', 'to = "strict/pku", guest = "max" }]\nby = "live"',
                 'of no use on a live way'),
                ('[[journey]]', '[[journey', 'journeys.toml')):
            with self.subTest(said), self.assertRaises(LabError) as caught:
                self.load((self.GOOD + self.ONE).replace(old, new))
            self.assertIn(said, str(caught.exception))
            self.assertNotIn('\n', str(caught.exception))
        with self.assertRaisesRegex(LabError, 'two journeys are called "a: n"'):
            self.load(self.GOOD + self.ONE * 2)
        with self.assertRaisesRegex(LabError, 'No such file'):
            story_plan.load(matrix.load(), self.place / 'none')


class Document(Place):
    """docs/stories.md, and the records that it is made of."""

    def test_is_up_to_date(self):
        made = story_document.markdown(story_plan.titles(), story_document.load(RESULTS))
        self.assertEqual((SOURCE / 'docs/stories.md').read_text(encoding='utf-8'), made,
                         'run lab/story.py --document lab/results >docs/stories.md')

    def test_is_whole(self):
        """Every journey with every QEMU, all hops, and nothing to complain of."""
        stories = story_document.load(RESULTS)
        for journey in story_plan.load(matrix.load()):
            for qemu in ('5.2', '7.2', '10.0', '11.1'):
                made = [Record(**record) for record in stories[journey.story]
                        if (record['journey'], record['qemu']) == (journey.name, qemu)]
                self.assertEqual(len(made), max(1, len(journey.hops)), (journey.name, qemu))
                self.assertEqual(story_table.complaints(journey, made), [])

    def test_wrong(self):
        with self.assertRaisesRegex(LabError, 'no records of stories'):
            story_document.load(self.place)
        (self.place / 'story-a.json').write_text('[]', encoding='ascii')
        with self.assertRaisesRegex(LabError, 'story-a.json: no records of a story'):
            story_document.load(self.place)


class Records(Place):
    """What a run leaves for the document."""

    PLAN = [story_plan.Journey('a', name, 'qemu64', 'x', (story_plan.Hop('y'),), 'accepted')
            for name in ('first', 'second')]

    def record(self, journey, qemu, seen='intact'):
        """One load."""
        return Record('a', journey, 1, qemu, 'x', 'y', 'migrate', 'qemu64', 'qemu64', None,
                      seen=seen)

    def written(self, records, hosts):
        """What is in the file after these."""
        story.write_records(records, hosts, self.place / 'results', self.PLAN)
        document = json.loads((self.place / 'results/story-a.json').read_text(encoding='utf-8'))
        return document['hosts'], [(record['journey'], record['qemu'], record['seen'])
                                   for record in document['records']]

    def test_others_stay(self):
        self.written([self.record('second', '10.0'), self.record('second', '7.2'),
                      self.record('first', '7.2', 'lost')], {'x': 1, 'y': 2, 'z': 3})
        hosts, records = self.written([self.record('first', '7.2')], {'x': 4})
        self.assertEqual(hosts, {'x': 4, 'y': 2})
        self.assertEqual(records, [('first', '7.2', 'intact'), ('second', '7.2', 'intact'),
                                   ('second', '10.0', 'intact')])

    def test_wrong(self):
        (self.place / 'results').mkdir()
        (self.place / 'results/story-a.json').write_text('{}', encoding='ascii')
        with self.assertRaisesRegex(LabError, 'story-a.json: no records of a story'):
            self.written([self.record('first', '7.2')], {})

    def test_journeys_go(self):
        story.write_records([self.record('third', '7.2')], {}, self.place / 'results',
                            [dataclasses.replace(self.PLAN[0], name='third')])
        self.assertEqual(self.written([self.record('first', '7.2')], {})[1],
                         [('first', '7.2', 'intact')])


class Judgement(unittest.TestCase):
    """A load that is not as predicted, or shows nothing, is complained of."""

    def complaints(self, shows='accepted', **values):
        """Of a journey whose one load was like this."""
        record = Record('a', 'n', 1, '7.2', 'x', values.pop('target', 'y'), 'migrate', 'qemu64',
                        'qemu64', None,
                        **{'saved': '0x207', 'loaded': '0x3', 'exposed': '0x3', 'cpuid': '0x3',
                           'outcome': 'accepted', 'predicted': 'intact', 'seen': 'intact',
                           **values})
        journey = story_plan.Journey('a', 'n', 'qemu64', 'x', (story_plan.Hop('y'),), shows)
        return story_table.complaints(journey, [record])

    def test_good(self):
        refused = {'outcome': 'refused', 'kvm': ['KVM_SET_XSAVE: EINVAL'], 'shows': 'refused'}
        self.assertEqual(self.complaints(), [])
        self.assertEqual(self.complaints(predicted='lost', seen='lost', **refused), [])
        self.assertEqual(self.complaints(predicted='lost', seen='silent', **refused), [])
        self.assertEqual(self.complaints(predicted='exit', seen='exit', **refused), [])
        self.assertEqual(self.complaints(predicted='keeps', seen='keeps', shows='keeps'), [])
        self.assertEqual(self.complaints(predicted='stays', seen='stays', shows='stays',
                                         outcome='refused'), [])
        self.assertEqual(self.complaints(target='y+trim', loaded='0x207',
                                         module=['target set 0x207 dropped 0x204']), [])
        self.assertEqual(self.complaints(target='y+trim'), [])

    def test_wrong(self):
        for values, said in (
                ({'seen': 'lost'}, 'predicted intact, seen lost'),
                ({'seen': 'silent'}, 'predicted intact, seen silent'),
                ({'predicted': 'lost'}, 'predicted lost, seen intact'),
                ({'predicted': 'exit', 'seen': 'lost'}, 'predicted exit, seen lost'),
                ({'kvm': ['KVM_SET_XSAVE: EINVAL']}, 'xferry says accepted, KVM refused KVM_SET'),
                ({'outcome': 'refused'}, 'xferry says refused, KVM refused nothing'),
                ({'exposed': '0x7'}, 'a repair dropped what the guest was shown: 0x207 became'),
                ({'predicted': 'stays', 'seen': 'exit'}, 'predicted stays, seen exit'),
                ({'predicted': 'stays', 'outcome': 'refused', 'kvm': ['KVM_SET_XSAVE: EINVAL']},
                 'xferry says refused, KVM refused KVM_SET'),
                ({'wrong': ['the guard was silent']}, 'the guard was silent'),
                ({'module': ['target set 0x207 dropped 0x206']},
                 'the module dropped what the guest was shown: target set 0x207'),
                ({'target': 'y+trim', 'loaded': '0x207'}, 'the module at the target said nothing'),
                ({'target': 'y+trim', 'module': ['target set 0x207 dropped 0x0']},
                 'the module at the target said what was not to be said'),
                ({'shows': 'stays'}, 'is there to show "stays"'),
                ({'shows': 'refused'}, 'is there to show "refused"'),
                ({'shows': 'keeps'}, 'is there to show "keeps"')):
            with self.subTest(said):
                self.assertTrue(any(said in one for one in self.complaints(**values)))

    def test_ends_early(self):
        hops = (story_plan.Hop('y'), story_plan.Hop('z'))
        journey = story_plan.Journey('a', 'n', 'qemu64', 'x', hops, 'refused')
        record = Record('a', 'n', 1, '7.2', 'x', 'y', 'migrate', 'qemu64', 'qemu64', None, '0x7',
                        '0x7', exposed='0x3', outcome='refused', kvm=['KVM_SET_XSAVE: EINVAL'],
                        predicted='lost', seen='lost')
        self.assertEqual(story_table.complaints(journey, [record]),
                         ['a: n: QEMU 7.2, hop 1: the guest was to go on, and was lost'])


class Command(Place):
    """story.py with words that make no sense."""

    def status(self, *words):
        """(status, what it complained of)."""
        done = subprocess.run([sys.executable, str(STORY), *words], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stderr

    def test_words(self):
        for words, status, said in (
                ((), 16, 'which story?'), (('z',), 16, 'unknown story "z"'),
                (('a', '--qemu', '1.0'), 16, 'unknown QEMU "1.0"'),
                (('a', '--nosuch'), 16, '--nosuch'),
                (('a', '--journey', 'none'), 16, 'no such journey'),
                (('a', '--xferry', str(self.place / 'none')), 8, 'none: No such file'),
                (('g', '--qemu', '7.2', '--xferry', XFERRY, '--guard', str(self.place / 'none')),
                 8, 'none: No such file')):
            with self.subTest(words):
                got, text = self.status(*words)
                self.assertEqual(got, status, text)
                self.assertIn(said, text)
                text = '\n'.join(line for line in text.splitlines() if 'are left in' not in line)
                self.assertNotIn('\n', text)

    def test_list(self):
        done = subprocess.run([sys.executable, str(STORY), '--list'], capture_output=True,
                              text=True, check=True)
        self.assertIn('a: repaired: leaky/pku -> strict/pku\n', done.stdout)


if __name__ == '__main__':
    unittest.main()
