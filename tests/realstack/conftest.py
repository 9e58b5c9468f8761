"""These tests need a Bluetooth stack to themselves: `make realstack` runs them in a virtual machine."""

import os

collect_ignore = [] if os.environ.get("MITHERM_REALSTACK") else ["test_real_stack.py"]
