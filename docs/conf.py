"""How Sphinx builds the documentation."""

from __future__ import annotations

import inspect
import re
from typing import Any

from sphinx.util.inspect import stringify_signature

import nbvars

project = "nbvars"
version = release = nbvars.__version__
copyright = "the authors of nbvars"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"nbvars {release}"
html_copy_source = False

autodoc_member_order = "bysource"
# Unions that are shorter by name: the first two are explained in api/ops.rst.
autodoc_type_aliases = {"Sizes": "Sizes", "TensorValue": "TensorValue", "ArrayLike": "numpy.typing.ArrayLike"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_custom_sections = ["Source"]
add_module_names = False

# The builds of CI use no network: links lead to the public pages, whose addresses inventories/ has.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3.14/", "inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/2.4/", "inventories/numpy.inv"),
    "numba": ("https://numba.readthedocs.io/en/stable/", "inventories/numba.inv"),
}


def _signature(
    app: Any, what: str, name: str, made: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Show what ``__init__`` takes where ``__new__`` takes anything and hands it on; name aliases within unions."""
    if signature is None:
        return None
    if what == "class" and signature.startswith("(*args"):
        taken = list(inspect.signature(made.__init__).parameters.values())[1:]
        signature = stringify_signature(inspect.Signature(taken), unqualified_typehints=True)
    return re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", signature), returned


def setup(app: Any) -> None:
    app.connect("autodoc-process-signature", _signature)
