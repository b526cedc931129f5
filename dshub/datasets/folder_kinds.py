"""Recognize a folder of your own files: images with annotations, documents, images or audio."""

from dataclasses import dataclass
from pathlib import Path

from dshub.catalog.manifest import Pair
from dshub.datasets import annotated_folders, documents, folders
from dshub.datasets.annotation_layouts import Layout
from dshub.datasets.documents import Encoding
from dshub.datasets.folders import FolderSource
from dshub.datasets.media import MediaTree, find_media
from dshub.datasets.trees import find_splits
from dshub.errors import ReadError
from dshub.importing.walking import Listing, list_files


@dataclass(frozen=True)
class Folder:
    """A folder of files that can be rows.

    Attributes:
        media: image and audio files.
        listing: all files.
        layout: layout of the annotations of images; None without annotations.
        documents: text files, if these are the rows; None otherwise.
    """

    media: MediaTree
    listing: Listing
    layout: Layout | None
    documents: MediaTree | None

    @property
    def has_rows(self) -> bool:
        """Whether `open` can find rows."""
        return bool(self.layout or self.documents or self.media.files)

    @property
    def splits(self) -> list[str]:
        """Names of the splits, sorted; empty for a folder without splits."""
        if self.layout is not None:
            return sorted(annotated_folders.split_names(self.layout))
        if self.documents is not None:
            return sorted(find_splits(self.documents.files).splits)
        return sorted(folders.split_names(self.media)) if self.media.files else []

    def open(
        self, split: str | None, dtype: str | None = None, encoding: Encoding | None = None
    ) -> tuple[FolderSource, Pair | None]:
        """Create the source of rows; see `Dataset.from_folder`.

        Args:
            split: split expression; None for a folder without splits.
            dtype: dtype of the pixels of images.
            encoding: encoding of documents.
        """
        root = self.media.root
        if self.layout is not None:
            found = annotated_folders.from_annotated_folder
            return found(root, self.listing, self.layout, split)
        if self.documents is not None:
            return documents.from_documents(self.documents, split, encoding)
        return folders.from_folder(self.media, split, dtype)


def read_folder(root: Path) -> Folder:
    """List the files of a folder once, and recognize what they are.

    Raises:
        ReadError: the folder cannot be read, or annotations are damaged.
        DshubError: several files can be the annotations of the same images.
    """
    try:
        listing = list_files(root)
    except OSError as error:
        hint = "check that it exists and that you can read it"
        reason = error.strerror or str(error)
        raise ReadError(file=str(error.filename or root), reason=reason, hint=hint) from error
    layout = annotated_folders.find_layout(root, listing)
    texts = documents.find_documents(root, listing) if layout is None else None
    return Folder(find_media(root, listing), listing, layout, texts)
