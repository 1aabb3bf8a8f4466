"""Fail if pyright does not know the type of a public name: ``pyright --verifytypes nbvars --outputjson | this``."""

from __future__ import annotations

import json
import sys

import nbvars
from nbvars.keras import backend

MODULES = (nbvars, nbvars.atomic, nbvars.cuda, nbvars.errors, nbvars.kernels, nbvars.nn, nbvars.train, backend)

public = {f"{module.__name__}.{name}" for module in MODULES for name in dir(module) if not name.startswith("_")}
symbols = [symbol for symbol in json.load(sys.stdin)["typeCompleteness"]["symbols"] if symbol["name"] in public]
unknown = [symbol["name"] for symbol in symbols if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]]
print(f"types: of {len(symbols)} public names pyright does not know {unknown or 'none'}")
sys.exit(bool(unknown) or not symbols)
