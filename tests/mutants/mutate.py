# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes mutants of a C file: one small change each, as a person may get it wrong.

What an operator, a condition, a constant or a statement is, clang tells (its syntax tree as
JSON), so nothing in a comment, a string, a table or a declaration is touched. All mutants of a
file go into one text, where xf_m(NUMBER) of mutants.h decides which of them is awake: they are
compiled once.
"""
import json
import re
import subprocess

# What becomes of an operator.
OPERATORS = {
    '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'],
    '==': ['!='], '!=': ['=='], '&&': ['||'], '||': ['&&'],
    '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'],
    '<<': ['>>'], '>>': ['<<'], '&': ['|'], '|': ['&'], '^': ['&'],
    '+=': ['-='], '-=': ['+='], '*=': ['/='], '/=': ['*='], '%=': ['*='],
    '|=': ['&=', '='], '&=': ['|=', '='], '<<=': ['>>='], '>>=': ['<<='], '^=': ['='],
}
COMPARISONS = {'<', '<=', '>', '>=', '==', '!=', '&&', '||'}
# Where a statement stands by itself, so that it can be left out.
STATEMENT_PARENTS = {'CompoundStmt', 'IfStmt', 'ForStmt', 'WhileStmt', 'DoStmt', 'CaseStmt',
                     'DefaultStmt'}
# What has to stay constant, or is no code.
CLOSED = {'UnaryExprOrTypeTraitExpr', 'StaticAssertDecl', 'StringLiteral', 'OffsetOfExpr'}
WRAPPERS = {'ImplicitCastExpr', 'ParenExpr', 'CStyleCastExpr', 'ConstantExpr'}
GAP = re.compile(r'(?:\s|/\*.*?\*/|//[^\n]*|[()])*', re.S)


class Mutant:
    """A change of one place of a file's text."""

    def __init__(self, function, begin, end, new, boolean=False, statement=False):
        self.function = function
        self.begin = begin
        self.end = end
        self.new = new
        self.boolean = boolean      # stands for true or false, whatever the type is
        self.statement = statement  # left out; `new` is ';' then
        self.number = 0             # given by whoever mixes it with others

    def applied(self, text):
        """The file's text with this change alone."""
        return text[:self.begin] + self.new + text[self.end:]


class Place:
    """Which file clang's differential locations are in."""

    def __init__(self):
        self.file = None

    def note(self, loc):
        """Follows one location; gives (file, offset, length) or None."""
        if not loc:
            return None
        if 'file' in loc:
            self.file = loc['file']
        return (self.file, loc['offset'], loc['tokLen']) if 'offset' in loc else None

    def resolve(self, loc, source):
        """(begin, end, is of a macro's body) in the source, or None where it is elsewhere."""
        if not loc:
            return None
        if 'spellingLoc' not in loc:
            spot = self.note(loc)
            return (spot[1], spot[1] + spot[2], False) if spot and source.has(spot[0]) else None
        spelled = self.note(loc['spellingLoc'])
        expanded = self.note(loc['expansionLoc'])
        if loc['expansionLoc'].get('isMacroArgExpansion') and spelled and \
                source.has(spelled[0]) and source.in_a_body(spelled[1]):
            return spelled[1], spelled[1] + spelled[2], False
        if expanded and source.has(expanded[0]):
            return expanded[1], source.call_end(expanded[1] + expanded[2]), True
        return None


class Source:
    """A C file, and where its functions are."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.bodies = []
        # Literals and comments hide brackets from whoever counts them.
        self.plain = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/',
                            lambda m: re.sub(r'[^\n]', ' ', m[0]), text, flags=re.S)

    def has(self, file):
        return file is not None and file.removeprefix('./') == self.path

    def in_a_body(self, offset):
        return any(begin <= offset < end for begin, end in self.bodies)

    def call_end(self, at):
        """The end of a macro's arguments, if the name that ends at `at` has any."""
        if self.plain[at:at + 2] == ' (' and re.search(r'xf_for_\w+$', self.plain[:at]):
            at += 1
        if self.plain[at:at + 1] != '(':
            return at
        depth = 0
        for i in range(at, len(self.plain)):
            depth += {'(': 1, ')': -1}.get(self.plain[i], 0)
            if depth == 0:
                return i + 1
        return at


def annotate(node, place, source):
    """Gives each node its `span` and `macro`, in the order in which clang wrote locations."""
    if 'loc' in node:
        place.resolve(node['loc'], source)
    extent = node.get('range') or {}
    begin = place.resolve(extent.get('begin'), source)
    end = place.resolve(extent.get('end'), source)
    node['span'] = (begin[0], end[1]) if begin and end and begin[0] < end[1] else None
    node['macro'] = bool(begin and end and begin[2] and end[2] and begin[0] == end[0])
    # One end is a macro in another's arguments: of that clang tells the outer one's place.
    if node['span'] and (end[2] and end[0] < begin[0] or
                         begin[2] and not end[2] and end[1] <= begin[1]):
        node['span'] = None
    for child in node.get('inner', []):
        annotate(child, place, source)


def find_bodies(tree, source):
    """Before anything else: offsets of function bodies, which are never inside macros."""
    place = Place()

    def visit(node):
        for loc in (node.get('loc'), (node.get('range') or {}).get('begin'),
                    (node.get('range') or {}).get('end')):
            if loc:
                for part in (loc.get('spellingLoc'), loc.get('expansionLoc'), loc):
                    place.note(part)
                    node['at'] = place.file
        for child in node.get('inner', []):
            visit(child)
        if node.get('kind') == 'CompoundStmt' and source.has(node['at']):
            extent = node['range']
            if 'offset' in extent['begin'] and 'offset' in extent['end']:
                source.bodies.append((extent['begin']['offset'], extent['end']['offset']))

    visit(tree)


def bare(node):
    """Without casts and brackets."""
    while node.get('kind') in WRAPPERS and node.get('inner'):
        node = node['inner'][-1]
    return node


def type_of(node):
    kind = node.get('type') or {}
    return kind.get('desugaredQualType') or kind.get('qualType', '')


def is_integer(node):
    return bool(re.fullmatch(r'(const |volatile )*(_Bool|bool|char|(un)?signed [a-z ]+|'
                             r'(long|short|int)( [a-z ]+)?|enum \w+|u?int\d+_t|size_t)',
                             type_of(node)))


class Maker:
    """Walks functions and collects their mutants."""

    def __init__(self, source):
        self.source = source
        self.found = {}
        self.function = None
        self.returns = ''

    def add(self, span, new, **more):
        """One change; what a macro uses twice comes twice and is taken once."""
        old = self.source.text[span[0]:span[1]]
        if new == old or not self.source.in_a_body(span[0]):
            return
        key = (span, new)
        if key not in self.found:
            self.found[key] = Mutant(self.function, span[0], span[1], new, **more)

    def text(self, node):
        return self.source.text[node['span'][0]:node['span'][1]]

    def walk(self, node, parent, slot):
        """One node: `slot` is its place among its parent's children."""
        kind = node.get('kind')
        if not kind or kind in CLOSED:
            return
        if kind == 'VarDecl' and node.get('storageClass') == 'static':
            return
        if kind == 'CaseStmt':
            self.walk(node['inner'][-1], node, len(node['inner']) - 1)
            return
        if node.get('castKind') == 'NullToPointer':
            return
        if node['span']:
            method = getattr(self, 'make_' + kind, None)
            if method:
                method(node)
            if not node['macro']:
                self.conditions(node)
            elif self.constant_macro(node):
                return
            self.statement(node, parent, slot)
        for i, child in enumerate(node.get('inner', [])):
            self.walk(child, node, i)

    # ---- operators ----

    def operator_span(self, node):
        """Where the operator itself stands, if it stands in the file and not in a macro."""
        left, right = node['inner'][0]['span'], node['inner'][1]['span']
        if node['macro'] or not left or not right or left[1] > right[0]:
            return None
        begin = GAP.match(self.source.text, left[1], right[0]).end()
        end = begin + len(node['opcode'])
        if self.source.text[begin:end] != node['opcode'] or \
                GAP.match(self.source.text, end, right[0]).end() != right[0]:
            return None
        return begin, end

    def make_BinaryOperator(self, node):
        span = self.operator_span(node)
        if not span:
            return
        pointers = [type_of(side).endswith('*') for side in node['inner'][:2]]
        if node['opcode'] == '-' and all(pointers):
            return
        whole = node['span']
        for new in OPERATORS.get(node['opcode'], []):
            self.add(whole, self.source.text[whole[0]:span[0]] + new +
                     self.source.text[span[1]:whole[1]])

    make_CompoundAssignOperator = make_BinaryOperator

    def make_UnaryOperator(self, node):
        inner = node['inner'][0]
        if node['macro'] or not inner['span']:
            return
        if node['opcode'] in '!~':
            self.add(node['span'], ('!!' if node['opcode'] == '!' else '') +
                     self.source.text[inner['span'][0]:inner['span'][1]])
        elif node['opcode'] in ('++', '--'):
            new = '--' if node['opcode'] == '++' else '++'
            operand = self.text(inner)
            self.add(node['span'], operand + new if node.get('isPostfix') else new + operand)

    # ---- conditions ----

    def conditions(self, node):
        kind, inner = node['kind'], node.get('inner', [])
        place = {'IfStmt': 0, 'ConditionalOperator': 0, 'WhileStmt': 0, 'DoStmt': 1, 'ForStmt': 2}
        if kind in place:
            condition = inner[place[kind]]
            # Not that of a macro which is a loop itself.
            if condition.get('macro') and condition['span'][0] == node['span'][0]:
                return
            values = '10' if kind in ('IfStmt', 'ConditionalOperator') else '0'
            self.decide(condition, *values)
        elif kind == 'BinaryOperator' and node['opcode'] in ('&&', '||'):
            for side in inner:
                self.decide(side, '1' if node['opcode'] == '&&' else '0')

    def decide(self, node, *values):
        if node.get('span'):
            for value in values:
                self.add(node['span'], value, boolean=True)

    # ---- constants ----

    def make_IntegerLiteral(self, node):
        if node['macro']:
            return
        value = int(node['value'])
        self.add(node['span'], f'({self.text(node)} + 1)')
        if value:
            self.add(node['span'], f'({self.text(node)} - 1)')

    def make_CharacterLiteral(self, node):
        if not node['macro']:
            self.add(node['span'], f'({self.text(node)} + 1)')

    def make_DeclRefExpr(self, node):
        if not node['macro'] and node['referencedDecl']['kind'] == 'EnumConstantDecl':
            self.add(node['span'], f'({self.text(node)} + 1)')

    def constant_macro(self, node):
        """A name in capitals that stands for a number, and the words true and false."""
        word = self.text(node)
        if word in ('true', 'false'):
            self.add(node['span'], 'false' if word == 'true' else 'true')
            return True
        if not re.fullmatch(r'\w+', word):
            return False
        if word.isupper() and word != 'NULL' and is_integer(node):
            self.add(node['span'], '0')
            self.add(node['span'], f'({word} + 1)')
        return True

    # ---- statements ----

    def make_ReturnStmt(self, node):
        if node['macro'] or not node.get('inner') or not node['inner'][0]['span']:
            return
        value = node['inner'][0]
        span = value['span']
        core = bare(value)
        if core['kind'] in ('IntegerLiteral', 'CharacterLiteral') or \
                core['kind'] == 'DeclRefExpr' and \
                core['referencedDecl']['kind'] == 'EnumConstantDecl':
            return
        if self.returns in ('_Bool', 'bool'):
            if core.get('opcode') not in COMPARISONS | {'!'}:
                self.add(span, f'!({self.text(value)})')
        elif self.returns.endswith('*') or is_integer({'type': {'qualType': self.returns}}):
            self.add(span, '0')

    def statement(self, node, parent, slot):
        if not parent or parent.get('kind') not in STATEMENT_PARENTS:
            return
        if parent['kind'] in ('IfStmt', 'WhileStmt') and slot == 0 or \
                parent['kind'] == 'ForStmt' and slot != 4 or \
                parent['kind'] == 'DoStmt' and slot != 0:
            return
        core = bare(node)
        kind = node['kind']
        alone = kind in ('CallExpr', 'CompoundAssignOperator', 'BreakStmt', 'ContinueStmt') or \
            kind == 'BinaryOperator' and node['opcode'] == '=' or \
            kind == 'UnaryOperator' and node['opcode'] in ('++', '--') or \
            kind == 'DoStmt' and node['macro'] or core['kind'] == 'CallExpr'
        if not alone or node['macro'] and kind != 'DoStmt':
            return
        end = GAP.match(self.source.text, node['span'][1]).end()
        if self.source.text[end:end + 1] == ';':
            self.add((node['span'][0], end + 1), ';', statement=True)


def syntax_tree(path, flags, cwd):
    """clang's; `path` as the compiler is given it in `cwd`."""
    command = ['clang', '-fsyntax-only', '-w', *flags, '-Xclang', '-ast-dump=json', path]
    output = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output)


def mutants_of(path, text, flags, cwd):
    """All mutants of one file, in the order of their places."""
    tree = syntax_tree(path, flags, cwd)
    source = Source(path, text)
    find_bodies(tree, source)
    annotate(tree, Place(), source)
    maker = Maker(source)
    for node in tree['inner']:
        if node.get('kind') != 'FunctionDecl' or not node.get('inner'):
            continue
        body = node['inner'][-1]
        if body.get('kind') == 'CompoundStmt' and body['span'] and not body['macro']:
            maker.function = node['name']
            maker.returns = type_of(node).split('(')[0].strip()
            maker.walk(body, None, 0)
    return sorted(maker.found.values(), key=lambda m: (m.begin, -m.end, m.new))


def render(text, mutants):
    """The text with all mutants in it. Those that are asleep cost a comparison each.

    A mutant's own text is made of the original: only one is ever awake, so nothing is nested
    but what is left of the original, and the text grows by little.
    """
    spans = {}
    for mutant in mutants:
        spans.setdefault((mutant.begin, mutant.end), []).append(mutant)
    order = sorted(spans, key=lambda s: (s[0], -s[1]))

    def emit(begin, end, index):
        """Renders [begin, end) with the spans from order[index] that lie in it."""
        out, at = [], begin
        while index < len(order) and order[index][0] < end:
            span = order[index]
            if span[1] > end:
                raise ValueError(f'places overlap at {span}: {text[span[0]:span[1]]!r}')
            out.append(text[at:span[0]])
            inner, index = emit(span[0], span[1], index + 1)
            out.append(choose(spans[span], inner))
            at = span[1]
        out.append(text[at:end])
        return ''.join(out), index

    return emit(0, len(text), 0)[0]


def squeeze(text):
    """In one line, with single spaces."""
    return ' '.join(text.split())


def describe(mutant, text):
    """The mutant's line for a person, and its name: whatever else moves, this stays."""
    old, new = text[mutant.begin:mutant.end], mutant.new
    left = right = 0
    whole = mutant.boolean or mutant.statement or new.startswith('!!')
    while not whole and left < min(len(old), len(new)) and old[left] == new[left]:
        left += 1
    room = 0 if whole else min(len(old), len(new)) - left
    while right < room and old[-1 - right] == new[-1 - right]:
        right += 1
    # Whole words and whole operators.
    same = re.compile(r'\w\w|[-+*/%<>=!&|^]{2}')
    while left and same.fullmatch(old[left - 1] + (old[left:] or new[left:] or ' ')[0]) \
            or left and same.fullmatch(old[left - 1] + (new[left:] or ' ')[0]):
        left -= 1
    while right and any(same.fullmatch((s[:len(s) - right] or ' ')[-1] + old[len(old) - right])
                        for s in (old, new)):
        right -= 1
    begin, end = mutant.begin + left, mutant.end - right
    line_begin = text.rfind('\n', 0, begin) + 1
    line_end = text.find('\n', end)
    line = f'{text[line_begin:begin]}[{text[begin:end]} → {new[left:len(new) - right]}]'
    return squeeze(line + text[end:line_end])


def choose(mutants, original):
    """All that may stand in one place."""
    left_out = [m for m in mutants if m.statement]
    if left_out:
        return f'{{ if (!xf_m({left_out[0].number})) {original} }}'
    text = ''.join(f'xf_m({m.number}) ? ({m.new}) : ' for m in mutants)
    if any(m.boolean for m in mutants):
        original = f'!!({original})'
    return f'({text}({original}))'
