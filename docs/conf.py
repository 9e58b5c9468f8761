"""Sphinx: MyST pages, furo, and parts that are generated from the code (docs/_ext/generated.py)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

from mitherm import __version__

project = "mitherm"
author = "The mitherm founders"
project_copyright = "2026, The mitherm founders"
release = __version__

extensions = ["myst_parser", "generated"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = f"mitherm {release}"
