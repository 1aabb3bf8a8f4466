"""Importing nbvars, against importing what it stands on."""

from __future__ import annotations

import subprocess
import sys


class Import:
    """A fresh process."""

    params = (["numba, numpy, ml_dtypes", "nbvars"],)
    param_names = ("modules",)
    number = 1
    repeat = 7

    def time_import(self, modules):
        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
