"""The errors a person can cause."""


class InputError(ValueError):
    """A value that was given and cannot be used.

    Attributes:
        field: where it was given, as `part.param` or a part's name: `optimizer.learning_rate`, `dataset`.
        problem: what was wrong with it, without a final stop.
        accepted: what would work, without a final stop; may be empty.
    """

    def __init__(self, field: str, problem: str, accepted: str = "") -> None:
        self.field = field
        self.problem = problem
        self.accepted = accepted
        super().__init__(f"{field}: {problem}" + (f"; {accepted}" if accepted else ""))

    @property
    def sentence(self) -> str:
        """What was wrong and what would work, for where the field itself is in sight. A file's name stays as it is."""
        text = self.problem + (f"; {self.accepted}" if self.accepted else "") + "."
        return text if "." in self.problem.split(" ", 1)[0] else text[:1].upper() + text[1:]
