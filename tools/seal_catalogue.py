"""Make a firmware catalogue that `--catalogue` takes: `python tools/seal_catalogue.py TABLE.json` dates and seals it in place."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from mitherm.ops.files.catalogue_file import digest, read_catalogue


def main(path: Path) -> None:
    """Write today's date and the digest, and prove that the result is accepted."""
    table = json.loads(path.read_text(encoding="utf-8")) | {"date": datetime.now(UTC).date().isoformat()}
    table["sha256"] = digest(table)
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {len(read_catalogue(path).files)} files, {table['date']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
