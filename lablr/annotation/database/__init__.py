"""Predictions, and what people say of them, in a database: SQLite or PostgreSQL.

``tables`` holds the tables, ``migrations`` brings a database up to them, ``engine``
connects and ``transactions`` open sessions. ``database`` is the interface of the pages
and the commands: ``predictions`` stores tags and finds photos, ``raters`` knows who may
rate, ``rating_queue`` picks the next photo and ``ratings`` stores verdicts.
``records`` are the plain values that go in and come out.
"""
