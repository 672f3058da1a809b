"""`python -m platefleet.protocol.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from platefleet.protocol.generate.documents import GENERATED, ROOT, documents


def main(arguments: Sequence[str] | None = None) -> int:
    """Write every generated document; with `--check` write nothing, name the stale ones and return 1."""
    parser = argparse.ArgumentParser(prog="python -m platefleet.protocol.generate", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a document is stale")
    check = parser.parse_args(arguments).check
    wanted = {path: write() for path, write in documents().items()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    left_over = [path for path in sorted(GENERATED.rglob("*")) if path.is_file() and path not in wanted]
    for path in [*stale, *left_over]:
        if check:
            print(f"stale, run `make docs`: {path.relative_to(ROOT)}")
        elif path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
        else:
            path.unlink()
            print(f"removed: {path.relative_to(ROOT)}")
    return 1 if check and (stale or left_over) else 0


if __name__ == "__main__":
    sys.exit(main())
