"""What comes with Engage: the starter journeys, their templates, how people behave in simulations, and the commented
example config.

They stand in the repository's root, beside the package, so that they are used, read and tested where they are.
"""

from __future__ import annotations

from pathlib import Path

import engage

ROOT = Path(engage.__file__).parent.parent
EXAMPLE_CONFIG = ROOT / "config.example.yaml"
BEHAVIOUR = ROOT / "simulate.yaml"
FOLDERS = ("journeys", "templates")
