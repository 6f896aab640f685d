"""Where a fault lies in a document: its path, and the smallest piece of text to underline."""

from __future__ import annotations

from safedata.problem import Fault, Problem, Span
from safedata.spec.node import Document


def problem_of(fault: Fault, document: Document) -> Problem:
    """Return a fault, whose path starts at the document's top, as a problem with its place."""
    span = _piece(fault, document)
    return Problem(fault.code, fault.message, span, fault.label, fault.severity, (), fault.notes, fault.help)


def _piece(fault: Fault, document: Document) -> Span:
    reached, node = document.nearest(fault.at)
    if fault.within is not None and node.value is not None and node.span.line == node.span.end_line:
        quote = 1 if node.quoted else 0
        text = str(node.value)
        start = node.span.column + quote + fault.within[0] + _stripped(text)
        end = max(start + 1, start + fault.within[1] - fault.within[0])
        return Span(node.span.file, node.span.line, start, node.span.line, end)
    scalar = not isinstance(node.value, (dict, list))
    whole = reached == fault.at
    if node.key_span and fault.on_key:
        return node.key_span
    if node.key_span and (not scalar or not whole or fault.code in ("SD103", "SD106", "SD110")):
        return node.span if scalar and not whole else node.key_span
    return node.span


def _stripped(text: str) -> int:
    """Return how many characters stand before an expression: blanks and the `=`."""
    lead = len(text) - len(text.lstrip())
    return lead + 1 if text[lead : lead + 1] == "=" else 0
