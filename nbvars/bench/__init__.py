"""Measure nbvars against its peers: ``python -m nbvars bench``, and the work behind the asv suite in ``benchmarks/``.

What is measured stands once: ``dense``, ``scatter``, ``cast``, ``optimizer``, ``counter``, ``session``, ``saver``
and ``start_up`` each do the same work in every library, as a ``Case``. ``comparisons`` is the table of what is run for
a person, ``timing`` measures, ``report`` and ``picture`` show.
"""
