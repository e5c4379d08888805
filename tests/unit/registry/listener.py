"""A reporter that remembers."""

from manifest_action.events import Event


class Events(list[Event]):
    """Everything that was reported, in order."""

    def emit(self, event: Event, /) -> None:
        self.append(event)
