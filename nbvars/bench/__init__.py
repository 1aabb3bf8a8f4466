"""Measure nbvars against its peers: ``python -m nbvars bench``, and the work behind the asv suite in ``benchmarks/``.

What is measured stands once: ``dense``, ``scatter``, ``cast``, ``counter``, ``session`` and ``start_up`` each make
the same update in every library, as a ``Case``. ``comparisons`` is the table of what is run for a person, ``timing``
measures, ``report`` and ``picture`` show.
"""
