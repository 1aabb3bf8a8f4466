"""How Sphinx builds the documentation."""

from __future__ import annotations

import nbvars

project = "nbvars"
version = release = nbvars.__version__
copyright = "the authors of nbvars"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"nbvars {release}"
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures of TensorFlow's functions are short without, and Args says it in words
napoleon_custom_sections = ["Source"]
add_module_names = False
