"""Metering of provider clients without any framework.

The seam is the client's `request` method, which is public and through which every resource and helper goes; streams
are watched by a subclass of their own class. Tested with openai 1.92 to 3.54 and anthropic 0.49 to 2.12. Neither
library is imported.
"""

from keito.metering.wrappers.client import meter

__all__ = ["meter"]
