"""Stores of billing records: SQLite for the processes of one machine, PostgreSQL for many."""
