#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever a Python file takes from lab/ is there: the long suites' files are seldom run.

    imports.py SOURCE
"""

import ast
import importlib
import sys
from pathlib import Path


def missing(file):
    """What `file` imports from lab/ that lab/ does not have."""
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if not isinstance(node, ast.ImportFrom) or (node.module or '').split('.')[0] != 'lab':
            continue
        module = importlib.import_module(node.module)
        for name in node.names:
            if not hasattr(module, name.name):
                try:
                    importlib.import_module(f'{node.module}.{name.name}')
                except ImportError:
                    yield f'{file}:{node.lineno}: no {name.name} in {node.module}'


def main():
    """0: all is there."""
    source = Path(sys.argv[1])
    sys.path.insert(0, str(source))
    files = [file for part in ('lab', 'tests', 'bench', 'script') for file in
             (source / part).rglob('*.py')] + [source / 'script' / 'lab']
    wrong = [line for file in files for line in missing(file)]
    for line in wrong:
        print(line)
    print(f'{len(files)} files looked at')
    return 1 if wrong or len(files) < 20 else 0


if __name__ == '__main__':
    sys.exit(main())
