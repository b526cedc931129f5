"""Images with annotations in other files: rows, names of files, and the reader's base class."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import pyarrow as pa

from dshub.catalog.file_names import Names, parts_of, plain
from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, check_columns, matching_name, mismatch
from dshub.formats._texts import line_texts, read_all

IMAGE, ANNOTATIONS, LIST = "image", "annotations", "list"  # parts
BOXES = pa.list_(pa.list_(pa.float64(), 4))
POLYGONS = pa.list_(pa.list_(pa.list_(pa.float64())))  # of each object
Row = dict[str, Any]
BATCH_BYTES = 16 << 20  # bytes of images per batch; a larger image has a batch to itself
BATCH_ROWS = 1 << 14
_NUMBER = "number"  # column of `complete`
LARGEST_FILE = 1 << 30  # bytes; Arrow's offsets are 32 bits wide


def name_of(file: File) -> str:
    """Return the name of a file in its archive or folder, with `/` between folders."""
    return plain(file.member or file.name)


def paired(files: Mapping[str, Sequence[File]]) -> Iterator[tuple[File, File | None]]:
    """Yield each image with the annotation file of the same name, or None if there is none.

    Args:
        files: files of the parts `image` and `annotations`, and of `list`, with names of the images
            to yield in its order. Names in a list can lack folders and the extension; further words
            of a line are ignored.

    Raises:
        ReadError: a listed image is missing, or several files have its name.
    """
    names = {name_of(file): file for file in files.get(ANNOTATIONS, ())}
    exact = {parts_of(name, stems=True): name for name in names}
    pairs = {
        name_of(image): exact.get(parts_of(name_of(image), stems=True)) for image in files[IMAGE]
    }
    used = set(pairs.values())
    others = Names({name: file for name, file in names.items() if name not in used}, stems=True)
    images = _listed(files) if files.get(LIST) else files[IMAGE]
    for image in images:
        name = pairs[name_of(image)]
        yield image, names[name] if name else others.find(name_of(image))


def _listed(files: Mapping[str, Sequence[File]]) -> Iterator[File]:
    images = {name_of(image): image for image in files[IMAGE]}
    stems, exact = Names(images, stems=True), Names(images)
    for file in files[LIST]:
        for number, text in line_texts(file):
            name = text.removeprefix("\ufeff").strip()
            if not name:
                continue
            image = exact.find(name) or stems.find(name) or stems.find(name.split()[0])
            if image is None:
                reason = f"line {number:,}: there is no image {name!r}"
                raise ReadError(file=file.name, reason=reason, hint="remove the line")
            yield image


class AnnotationReader(Format, frozen=True):
    """Base class of readers of images with annotations.

    The part `image` has the images, and `annotations` the files about them. Rows have the column
    `image` and those of `schema`.
    """

    parts: ClassVar[tuple[str, ...]] = (IMAGE, ANNOTATIONS)
    optional_parts: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """Columns of a row, without the image."""

    @abstractmethod
    def described(self, files: Mapping[str, Sequence[File]]) -> Iterator[tuple[File, Row]]:
        """Yield the image and the columns of each row, without reading the image."""

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        self.check_parts(files)
        rows, contents, size = list[Row](), list[bytes](), 0
        for file, row in self.described(files):
            content = read_all(file, LARGEST_FILE)
            if rows and (size + len(content) > BATCH_BYTES or len(rows) == BATCH_ROWS):
                yield self._batch(rows, contents)
                rows, contents, size = [], [], 0
            rows.append(row)
            contents.append(content)
            size += len(content)
        if rows:
            yield self._batch(rows, contents)

    def check_parts(self, parts: Mapping[str, Any]) -> None:
        """Raise ReadError if a part is missing or unknown."""
        if not set(self.parts) <= parts.keys() <= {*self.parts, *self.optional_parts}:
            expected = f"this format reads the parts {', '.join(self.parts)}"
            more = (
                f" and optionally {', '.join(self.optional_parts)}" if self.optional_parts else ""
            )
            raise mismatch(", ".join(parts), f"{expected}{more}, not {', '.join(parts)}")

    def table(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Convert rows to the columns of `schema`."""
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _batch(self, rows: Sequence[Row], contents: Sequence[bytes]) -> pa.RecordBatch:
        columns = {IMAGE: pa.array(contents, pa.binary())}
        table = self.table(rows)
        return pa.RecordBatch.from_pydict(
            columns | dict(zip(table.schema.names, table.columns, strict=True))
        )

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add missing columns and fields: numbers of rows, and zeros for each object."""
        columns = dict(zip(rows.schema.names, rows.columns, strict=True))
        given = [
            dict(zip(columns, row, strict=True))
            for row in zip(*(column.to_pylist() for column in columns.values()), strict=True)
        ]
        filled = [self._filled(row, first + i) for i, row in enumerate(given)]
        for field in self.schema:
            values = [row[field.name] for row in filled]
            columns[field.name] = pa.array(values, field.type)
        return pa.RecordBatch.from_pydict(columns)

    def _filled(self, row: Mapping[str, Any], number: int) -> Row:
        filled: Row = {}
        for field in self.schema:
            value = row.get(field.name)
            if field.name == "objects":
                value = _filled_objects(value or {}, field.type)
            value = self.default(field.name, number) if value is None else value
            filled[field.name] = str(value) if pa.types.is_string(field.type) else value
        return filled

    def default(self, name: str, number: int) -> Any:
        """Return the value of a column that rows to write lack."""
        return 100 if name in {"width", "height"} else number

    def write_images(self, rows: pa.RecordBatch, output: Output, names: Sequence[str]) -> None:
        """Write the image of each row.

        Args:
            rows: rows with the column `image`.
            output: part of the images.
            names: name of each image.
        """
        check_columns(rows, [IMAGE, "objects"], where="images with annotations")
        for name, content in zip(names, rows.column(IMAGE).to_pylist(), strict=True):
            with output.create(name) as sink:
                sink.write(content)


class PairedReader(AnnotationReader, frozen=True):
    """Base class of readers of annotations in a file for each image."""

    parts: ClassVar[tuple[str, ...]] = (IMAGE,)
    optional_parts: ClassVar[tuple[str, ...]] = (ANNOTATIONS, LIST)

    @abstractmethod
    def content(self, image: str, row: Row) -> str:
        """Return the annotations of an image as the text of a file."""

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add missing columns, and the numbers of rows for the names of files."""
        numbers = pa.array(range(first, first + rows.num_rows), pa.int64())
        return super().complete(rows, first).append_column(_NUMBER, numbers)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        self.check_parts(parts)
        numbers = rows.column(_NUMBER).to_pylist()
        names = [numbered(parts[IMAGE].members[0], number) for number in numbers]
        self.write_images(rows, parts[IMAGE], names)
        for name, number, row in zip(names, numbers, rows.to_pylist(), strict=True):
            if ANNOTATIONS in parts:
                output = parts[ANNOTATIONS]
                with output.create(numbered(output.members[0], number)) as sink:
                    sink.write(self.content(name, row).encode())
        for member in parts[LIST].members if LIST in parts else ():
            with parts[LIST].create(member) as sink:
                sink.write("".join(f"{name}\n" for name in names).encode())
            names = []  # in one of several lists


def numbered(pattern: str, number: int) -> str:
    """Return a name that matches a pattern and contains a number; all names sort by it."""
    if "*" not in pattern:
        expected = "a pattern with * for the files of several rows"
        raise SchemaError(where="images with annotations", expected=expected, got=pattern)
    return matching_name(pattern, cast("int", f"{number:06d}"))


def inside(pattern: str, name: str) -> str:
    """Return the name of a file in the folder of a pattern."""
    return f"{pattern.rpartition('/')[0]}/{name}".lstrip("/")


def _filled_objects(objects: Mapping[str, Any], kind: pa.StructType) -> dict[str, Any]:
    """Add missing fields of objects, with a zero or an empty value for each object."""
    count = len(next((values for values in objects.values() if values is not None), ()))
    zeros = {field.name: _zero(field.type.value_type) for field in kind}
    return {
        name: [zero] * count if objects.get(name) is None else objects[name]
        for name, zero in zeros.items()
    }


def _zero(kind: pa.DataType) -> Any:
    if pa.types.is_fixed_size_list(kind):
        return [_zero(kind.value_type)] * kind.list_size
    if pa.types.is_list(kind):
        return []
    return "0" if pa.types.is_string(kind) else kind.to_pandas_dtype()(0)


def objects_type(fields: Mapping[str, pa.DataType]) -> pa.DataType:
    """Return the type of the column `objects`: a list for each field, with an item per object."""
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])
