"""What a YAML parser's error means, in words for people who do not know how YAML is parsed."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """One kind of syntax error: what is wrong, what to do, and whether it is told where the unfinished thing began."""

    pattern: str
    what: str
    hint: str
    at_opening: bool = False


# The first whose pattern is found in "<context>; <problem>", in libyaml's words or PyYAML's.
_COMPLAINTS = (
    Complaint(
        "start any token|node content",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    Complaint(
        "mapping values are not allowed|unexpected ':'",
        "a colon is not allowed here",
        "quote a value that holds ': ', and give the keys of one mapping the same indentation",
    ),
    Complaint(
        "sequence entries are not allowed",
        "a list item is not allowed here",
        "begin the list on a line of its own",
    ),
    Complaint(
        "unexpected end of stream",
        "this quote is never closed",
        "end the text with the same quote",
        at_opening=True,
    ),
    Complaint(
        "simple key",
        "this is neither 'key: value' nor a list item",
        "is a colon missing?",
        at_opening=True,
    ),
    Complaint(
        "flow sequence",
        "this list does not end well",
        "is a comma or a ']' missing?",
        at_opening=True,
    ),
    Complaint(
        "flow mapping",
        "this mapping does not end well",
        "is a comma or a '}' missing?",
        at_opening=True,
    ),
    Complaint(
        "quoted scalar|double-quoted",
        "this quoted text is not well formed",
        "use single quotes to take text as it is",
        at_opening=True,
    ),
    Complaint(
        "block scalar",
        "only an indentation and '-' or '+' may follow '|' or '>'",
        "begin the text on the next line",
        at_opening=True,
    ),
    Complaint(
        "block mapping|block collection",
        "this does not fit what stands above it",
        "give keys and list items that belong together the same indentation",
    ),
    Complaint(
        "anchor|alias",
        "anchors and aliases are not accepted",
        "write the value out where it is needed",
        at_opening=True,
    ),
    Complaint(
        "tag",
        "tags are not accepted",
        "every value is taken as text; remove the tag",
        at_opening=True,
    ),
    Complaint(
        "document start",
        "text follows the end of a document",
        "put a line of --- between documents",
    ),
    Complaint(
        "directive|YAML document",
        "this directive is not known",
        "remove the line that begins with %",
    ),
)
_END = Complaint("", "the text ends within a list or mapping", "is a ']' or '}' missing?")
_TAB = Complaint("", "a tab stands where only spaces may", "indent with spaces")
_OTHER = Complaint("", "this is not YAML", "check quotes, colons and indentation")


def explain(context: str, problem: str, character: str) -> Complaint:
    """What to say about the parser's `problem` within `context` at `character` (empty at the end of the text)."""
    if character == "\t":
        return _TAB
    if not character and "node content" in problem:
        return _END
    told = f"{context}; {problem}"
    return next((complaint for complaint in _COMPLAINTS if re.search(complaint.pattern, told)), _OTHER)
