"""A figure with its bound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    title: str
    value: float
    unit: str
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        verdict = "" if self.met else "   MISSED"
        return f"{self.title:<58} {self.value:>9.2f} {self.unit:<5} at most {self.most:g}{verdict}"
