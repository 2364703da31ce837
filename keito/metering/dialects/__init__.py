"""What providers and frameworks report of a model call, each in its own way, in keito's terms.

Providers disagree about what is inside what: Anthropic and Bedrock count their cache beside the input, OpenAI inside;
Gemini's thoughts are beside the candidates, OpenAI's reasoning is inside the completion. Each module here is one
dialect. What does not add up is kept as it was reported, flagged and so not priced; nothing is guessed or raised.
"""

from keito.metering.dialects.report import Report
from keito.metering.dialects.shapes import report_of, usage_of

__all__ = ["Report", "report_of", "usage_of"]
