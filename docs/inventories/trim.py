"""Keep of full inventories what the built pages link to: ``python docs/inventories/trim.py HTML_FOLDER``.

To renew them, put the ``objects.inv`` of other projects here as ``python.inv``, ``numpy.inv`` and ``numba.inv``
(Debian has them in its packages of their documentation), build the pages with them, then run this.
"""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path

NUM_HEADER_LINES = 4


def uri_of(entry: str) -> str:
    """Return the address that an entry has within its project."""
    name, _, _, uri = re.match(r"(.+?)\s+(\S+)\s+(-?\d+)\s+(\S*)", entry).groups()
    return uri.removesuffix("$") + name if uri.endswith("$") else uri


def main(pages: Path) -> None:
    linked = {uri for page in pages.rglob("*.html") for uri in re.findall(r'href="https://([^"]+)"', page.read_text())}
    for path in sorted(Path(__file__).parent.glob("*.inv")):
        *header, packed = path.read_bytes().split(b"\n", NUM_HEADER_LINES)
        entries = zlib.decompress(packed).decode().splitlines()
        kept = [entry for entry in entries if any(uri.endswith("/" + uri_of(entry)) for uri in linked)]
        path.write_bytes(b"\n".join([*header, zlib.compress("".join(f"{entry}\n" for entry in kept).encode(), 9)]))
        print(f"{path.name}: {len(kept)} of {len(entries)} entries, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
