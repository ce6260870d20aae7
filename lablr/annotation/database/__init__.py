"""What people say of tags, kept in a database: SQLite or PostgreSQL.

``tables`` is what is kept, ``migrations`` brings a database up to it, ``engine`` opens
a connection, ``database`` is the interface that the pages and the commands use.
``predictions`` stores and picks photos, ``raters`` and ``ratings`` keep who said what,
``lookups`` finds a photo by its number, ``records`` are the answers.
"""
