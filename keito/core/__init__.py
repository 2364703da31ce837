"""The protocol, free of I/O, and the two drivers that wait."""
