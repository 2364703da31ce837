"""Shows endpoints in the reference as what callers get from them, not as the plan that they are written as."""

from __future__ import annotations

from typing import Any, Optional

import griffe

_AWAITABLE = "awaitable on AsyncKeito"
_ITERATOR = "async iterator on AsyncKeito"


class Endpoints(griffe.Extension):
    """What callers get: `T` of `@endpoint` (`Call[T]`) and `@surveyed` (`Survey[T]`), `Pager[T]` of `@paginated`."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Rewrite the return annotation of an endpoint."""
        marks = {str(decorator.value) for decorator in func.decorators}
        if "endpoint" in marks:
            func.returns = _inside(func.returns, "Call")
            func.labels.add(_AWAITABLE)
        elif "surveyed" in marks:
            func.returns = _inside(func.returns, "Survey")
            func.labels.add(_AWAITABLE)
        elif "paginated" in marks:
            page = _inside(func.returns, "Call")
            func.returns = griffe.ExprSubscript(griffe.ExprName("Pager", parent=func.parent), _inside(page, "Page"))
            func.labels.add(_ITERATOR)


def _inside(annotation: Optional[griffe.Expr | str], wrapper: str) -> griffe.Expr | str:
    """What stands in the brackets of `wrapper[...]`."""
    if not isinstance(annotation, griffe.ExprSubscript) or str(annotation.left) != wrapper:
        raise ValueError(f"an endpoint is annotated {wrapper}[...], not {annotation}")
    return annotation.slice
