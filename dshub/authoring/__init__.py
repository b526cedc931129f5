"""A manifest made from a person's own files.

`draft` looks at files and says what dataset they are (`Outline`): splits, columns, classes, how
many rows. `Staged` packs a folder where that is needed and lets the manifest appear, and
`verify` reads every row as the manifest says. Nothing here changes, moves or renames a file that
was there before.
"""

from dshub.authoring.columns import Wishes, described
from dshub.authoring.drafting import Request, draft
from dshub.authoring.names import dataset_name
from dshub.authoring.outline import PACKED, Outline
from dshub.authoring.publishing import Staged
from dshub.authoring.verifying import verify
from dshub.authoring.writing import manifest_text, require_tomlkit, resource_keys

__all__ = [
    "PACKED",
    "Outline",
    "Request",
    "Staged",
    "Wishes",
    "dataset_name",
    "described",
    "draft",
    "manifest_text",
    "require_tomlkit",
    "resource_keys",
    "verify",
]
