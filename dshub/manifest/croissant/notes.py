"""What an import has to tell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Something of a Croissant document that is not in the manifest, or not as it stood there.

    Attributes:
        id: the `@id` of the thing; empty for the dataset as a whole.
        message: what it is about.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}" if self.id else self.message
