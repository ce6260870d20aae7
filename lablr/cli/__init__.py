"""The ``lablr`` command; the only place that prints, and turns errors into messages."""
