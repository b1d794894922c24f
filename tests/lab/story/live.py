#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What live journeys are held to: by the guards' lines, the filter's report, the guest's end.

Needs in the environment: SOURCE, the source tree.
"""

import os
import pathlib
import sys
import unittest

from unittest import mock

SOURCE = pathlib.Path(os.environ['SOURCE'])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import story_guard, story_live  # noqa: E402
from lab.payload import Sight  # noqa: E402
from lab.story_guest import Loaded  # noqa: E402
from lab.story_live import Live, on_the_way  # noqa: E402
from lab.story_plan import IN_FLIGHT  # noqa: E402

GET = ('xferry-guard: pid=7 vcpu=0 direction=get mode=trim xstate_bv=0x207 shown=0x3 '
       'superfluous=0x204 dropped=0x204 result=0 components="AVX PKRU"\n')
SET = ('xferry-guard: pid=8 vcpu=0 direction=set mode=trim xstate_bv=0x207 shown=0x3 '
       'superfluous=0x204 dropped=0x204 result=0 components="AVX PKRU"\n')
SUMMARY = 'xferry-guard: pid=7 summary vcpus=1 set=0 get=2 superfluous=0x204 dropped=0x204\n'


def observed(line):
    """The same of a guard that only observes."""
    return line.replace('mode=trim', 'mode=observe').replace('dropped=0x204', 'dropped=0x0')


class Guard(unittest.TestCase):
    """A guard's log."""

    def test_parse(self):
        found, summary, other = story_guard.parse(GET + SUMMARY + 'noise\nxferry-guard: odd\n')
        self.assertEqual(found[0]['components'], 'AVX PKRU')
        self.assertEqual((summary['get'], other), ('2', ['noise', 'xferry-guard: odd']))
        self.assertEqual(story_guard.parse(''), ([], None, []))

    def test_short(self):
        self.assertEqual(story_guard.short('source', GET + SUMMARY),
                         ['source get 0x207 dropped 0x204'])

    def test_expected(self):
        self.assertIsNone(story_guard.expected('trim', 'set', 0x203, 0x203))
        self.assertEqual(story_guard.expected('observe', 'set', 0x207, 0x203, 'EINVAL'), {
            'vcpu': '0', 'direction': 'set', 'mode': 'observe', 'xstate_bv': '0x207',
            'shown': '0x203', 'superfluous': '0x4', 'dropped': '0x0', 'result': 'EINVAL'})

    def test_complaints(self):
        line = story_guard.expected('trim', 'get', 0x207, 0x3)
        for text, wanted, said in (
                (GET + SUMMARY, line, ''),
                ('', None, ''),
                (GET + SUMMARY, None, 'was to say of get: nothing; it said: pid=7'),
                ('', line, 'it said: nothing'),
                (SET + SUMMARY, line, 'it said: nothing'),
                (GET * 2 + SUMMARY, line, '; vcpu=0'),
                (GET.replace('0x3', '0x7') + SUMMARY, line, 'shown=0x7'),
                (observed(GET) + SUMMARY, line, 'mode=observe'),
                (GET, line, 'without a summary after 1 lines'),
                (SUMMARY, None, 'with a summary after 0 lines'),
                ('xferry-guard: pid=7 vcpu=0: hands off\n', None, 'x said: xferry-guard')):
            with self.subTest(text=text, wanted=wanted):
                made = '|'.join(story_guard.complaints('x', text, {'get': wanted}))
                self.assertTrue(said in made if said else not made, made)


class Ways(unittest.TestCase):
    """What is where on a way, and what is complained of."""

    def test_on_the_way(self):
        for word, masks in ((None, (0x207, 0x207, 0x207)), ('guard at the source', (3, 3, 3)),
                            ('guard at the target', (0x207, 0x207, 0x207)),
                            ('guards that observe', (0x207, 0x207, 0x207)),
                            ('guards at both ends', (3, 3, 3)), ('filter', (0x207, 3, 3)),
                            ('filter at the target', (0x207, 0x207, 3)),
                            ('guards and filter', (3, 3, 3))):
            with self.subTest(word):
                self.assertEqual(on_the_way(0x207, 0x3, IN_FLIGHT[word]), masks)

    def wrong(self, word, carried, outcome='accepted', target='', **values):
        """Of a guest that was shown 0x3 and saved with 0x207."""
        live = Live(**{'loaded': Loaded(guard=target), 'left': 'completed', 'ran': 9,
                       'behind': Sight('...'), **values})
        record = mock.Mock(exposed='0x3', saved='0x207', outcome=outcome)
        return '|'.join(story_live.wrong(live, IN_FLIGHT[word], record, carried))

    @staticmethod
    def report(seen, passage):
        """The filter's, as far as it is looked at."""
        return {'vcpus': [{'xstate_bv': seen}], 'filter': {'passage': passage}}

    def test_good(self):
        passed = self.report('0x207', 'repaired')
        self.assertEqual(self.wrong(None, 0x207), '')
        self.assertEqual(self.wrong('guard at the source', 3, guard=GET + SUMMARY), '')
        self.assertEqual(self.wrong('guard at the target', 0x207, target=SET + SUMMARY), '')
        self.assertEqual(self.wrong('guards at both ends', 3, guard=GET + SUMMARY), '')
        refused = observed(SET).replace('result=0', 'result=EINVAL') + SUMMARY
        self.assertEqual(self.wrong('guards that observe', 0x207, 'refused', refused,
                                    guard=observed(GET) + SUMMARY), '')
        self.assertEqual(self.wrong('filter', 3, filtered=passed), '')
        self.assertEqual(self.wrong('filter at the target', 0x207, filtered=passed), '')
        self.assertEqual(self.wrong('guards and filter', 3, guard=GET + SUMMARY,
                                    filtered=self.report('0x3', 'passed')), '')
        self.assertEqual(self.wrong('filter', None, 'refused', stays=True,
                                    filtered=self.report('0x207', 'stopped')), '')

    def test_wrong(self):
        for said, made in (
                ('was lost at the source: ..S', self.wrong(None, 0x207, behind=Sight('..S'))),
                ('did not run while', self.wrong(None, 0x207, ran=0)),
                ('is failed at the source', self.wrong(None, 0x207, left='failed')),
                ('carried 0x207, not 0x3',
                 self.wrong('guard at the source', 0x207, guard=GET + SUMMARY)),
                ('carried 0x3, not 0x207', self.wrong(
                    'filter at the target', 3, filtered=self.report('0x207', 'repaired'))),
                ('guard at the source was to say', self.wrong('guard at the source', 3)),
                ('guard at the target was to say', self.wrong('guard at the target', 0x207)),
                ('was to say of get: nothing', self.wrong('guard at the target', 0x207,
                                                          target=GET + SET + SUMMARY)),
                ('the filter saw 0x3', self.wrong('filter', 3,
                                                  filtered=self.report('0x3', 'repaired'))),
                ('says "stopped", not "repaired"',
                 self.wrong('filter', 3, filtered=self.report('0x207', 'stopped')))):
            with self.subTest(said):
                self.assertIn(said, made)

    def test_saved(self):
        """Who saw it first tells."""
        for word, told, wanted in (
                (None, {}, '0x1'), ('guard at the source', {'guard': GET}, '0x207'),
                ('guard at the source', {'guard': SET}, '0x1'),
                ('filter', {'filtered': self.report('0x2', '')}, '0x2'),
                ('guards and filter', {'guard': GET, 'filtered': self.report('0x2', '')},
                 '0x207')):
            with self.subTest(word):
                self.assertEqual(story_live.saved(Live(**told), IN_FLIGHT[word], '0x1'), wanted)


if __name__ == '__main__':
    unittest.main()
