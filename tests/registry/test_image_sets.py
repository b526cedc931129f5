"""Load image datasets from small handmade files in upstream's layout."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from dshub import Registry
from dshub.catalog.features import LabelFeature
from dshub.errors import ReadError, SchemaError
from dshub.tables.building import rows_of
from tests.independent.packed import zipped

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG"


def tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    """Pack files into a tar, compressed with mode `w:gz`."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def images_named(*names: str) -> dict[str, bytes]:
    """Return a different image for each name."""
    return {name: JPEG + name.encode() for name in names}


def read(folder: Path, name: str, split: str, **resources: bytes) -> list[dict[str, Any]]:
    """Return the rows of a registry dataset's split."""
    paths = {}
    for resource, data in resources.items():
        paths[resource] = folder / resource
        paths[resource].write_bytes(data)
    manifest = Registry(()).manifest(name)
    return [row for batch in rows_of(manifest, split, paths) for row in batch.to_pylist()]


def classes(name: str) -> LabelFeature:
    feature = Registry(()).manifest(name).features["label"]
    assert isinstance(feature, LabelFeature)
    return feature


def test_folder_10_of_imagenet_v2_is_class_10(tmp_path: Path) -> None:
    top = "imagenetv2-matched-frequency-format-val"
    archive = tar(images_named(*[f"{top}/{number}/x.jpeg" for number in (0, 10, 100, 2, 999)]))
    rows = read(tmp_path, "imagenet-v2/matched-frequency", "test", archive=archive)
    assert [row["label"] for row in rows] == [0, 10, 100, 2, 999]
    assert classes("imagenet-v2/matched-frequency").code(10) == "n01530575"


@pytest.mark.parametrize("folder", ["1000", "010", "-1", "x"])
def test_unknown_folder_of_imagenet_v2_is_an_error(tmp_path: Path, folder: str) -> None:
    archive = tar(images_named(f"imagenetv2-top-images-format-val/{folder}/x.jpeg"))
    with pytest.raises(SchemaError, match=rf"got '{folder}'"):
        read(tmp_path, "imagenet-v2/topimages", "test", archive=archive)


@pytest.mark.parametrize("name", ["imagenet-a", "imagenet-r"])
def test_subsets_have_all_classes_of_imagenet(tmp_path: Path, name: str) -> None:
    """Labels match a classifier of 1,000 classes."""
    files = images_named(f"{name}/n15075141/a.jpg", f"{name}/n01498041/a.jpg")
    archive = tar({f"{name}/README.txt": b"Thank you"} | files)
    rows = read(tmp_path, name, "test", archive=archive)
    assert [row["label"] for row in rows] == [999, 6]
    assert [row["image"] for row in rows] == list(files.values())


def test_names_of_imagenet_classes_are_unique() -> None:
    """The two cranes and the two maillots have different names and codes."""
    feature = classes("imagenet-a")
    assert len(feature.names) == len(feature.codes) == 1000
    assert feature.codes == tuple(sorted(feature.codes))
    assert feature.int("n02012849") == feature.int("crane") == 134
    assert feature.int("n03126707") == feature.int("crane2") == 517


def test_tiny_imagenet_lists_the_classes_of_its_validation_set(tmp_path: Path) -> None:
    """All images are in one folder, and the list has a different order."""
    top = "tiny-imagenet-200"
    list_file = b"val_1.JPEG\tn03444034\t0\t32\t44\t62\nval_0.JPEG\tn01443537\t52\t55\t57\t59\n"
    files = images_named(f"{top}/val/images/val_0.JPEG", f"{top}/val/images/val_1.JPEG")
    archive = zipped(files | {f"{top}/val/val_annotations.txt": list_file})
    rows = read(tmp_path, "tiny-imagenet", "validation", archive=archive)
    feature = classes("tiny-imagenet")
    assert [feature.code(row["label"]) for row in rows] == ["n01443537", "n03444034"]
    assert [row["image"] for row in rows] == list(files.values())
    assert feature.codes == tuple(sorted(feature.codes))


def test_training_images_of_tiny_imagenet_are_in_a_subfolder(tmp_path: Path) -> None:
    """The lists of boxes next to the subfolder are skipped."""
    top = "tiny-imagenet-200"
    files = images_named(
        f"{top}/train/n01443537/images/n01443537_0.JPEG", f"{top}/test/images/t.JPEG"
    )
    archive = zipped(files | {f"{top}/train/n01443537/n01443537_boxes.txt": b"0\t1\t2\t3"})
    (row,) = read(tmp_path, "tiny-imagenet", "train", archive=archive)
    assert classes("tiny-imagenet").code(row["label"]) == "n01443537"
    assert list(read(tmp_path, "tiny-imagenet", "test", archive=archive)[0]) == ["image"]


def test_stray_entries_of_caltech_256_are_skipped(tmp_path: Path) -> None:
    top = "256_ObjectCategories"
    files = images_named(
        f"{top}/056.dog/056_0001.jpg",
        f"{top}/056.dog/greg/vision309/056_0002.jpg",
        f"{top}/198.spider/198_0001.jpg",
        f"{top}/257.clutter/257_0001.jpg",
    )
    archive = tar(files | {f"{top}/198.spider/RENAME2": b"mv a b"})
    rows = read(tmp_path, "caltech-256", "train", archive=archive)
    names = [classes("caltech-256").str(row["label"]) for row in rows]
    assert names == ["dog", "spider", "clutter"]


def test_classes_of_pets_come_from_a_list(tmp_path: Path) -> None:
    """Numbers in the list start at 1, and some images are PNG."""
    list_file = b"Abyssinian_100 1 1 1\nyorkshire_terrier_5 37 2 25\n"
    annotations = {
        "annotations/trainval.txt": list_file,
        "annotations/trimaps/._Abyssinian_100.png": b"",
    }
    images = {
        "images/yorkshire_terrier_5.jpg": PNG,
        "images/Abyssinian_100.jpg": JPEG,
        "images/Abyssinian_100.mat": b"MATLAB",
    }
    rows = read(
        tmp_path,
        "oxford-iiit-pet",
        "trainval",
        annotations=tar(annotations, "w:gz"),
        images=tar(images, "w:gz"),
    )
    assert rows == [
        {"image": JPEG, "label": 0, "species": 0},
        {"image": PNG, "label": 36, "species": 1},
    ]
    assert classes("oxford-iiit-pet").str(0) == "Abyssinian"


def test_food_is_split_by_lists_without_suffixes(tmp_path: Path) -> None:
    top = "food-101"
    files = images_named(f"{top}/images/waffles/1.jpg", f"{top}/images/apple_pie/2.jpg")
    lists = {f"{top}/meta/train.txt": b"waffles/1\n", f"{top}/meta/test.txt": b"apple_pie/2\n"}
    archive = tar(lists | files, "w:gz")
    assert [row["label"] for row in read(tmp_path, "food-101", "train", archive=archive)] == [100]
    assert [row["label"] for row in read(tmp_path, "food-101", "test", archive=archive)] == [0]
    lists[f"{top}/meta/train.txt"] += b"waffles/3\n"
    with pytest.raises(ReadError, match=r"lists 1 rows that do not exist, such as 'waffles/3'"):
        read(tmp_path, "food-101", "train", archive=tar(lists | files))


def test_class_names_of_aircraft_contain_spaces_and_slashes(tmp_path: Path) -> None:
    """Images keep the order of the list."""
    top = "fgvc-aircraft-2013b/data"
    files = images_named(*[f"{top}/images/{name}.jpg" for name in ("0034309", "0034958", "1")])
    files[f"{top}/images_variant_val.txt"] = b"0034958 Eurofighter Typhoon\n0034309 F-16A/B\n"
    rows = read(tmp_path, "fgvc-aircraft", "validation", archive=tar(files))
    assert [classes("fgvc-aircraft").str(row["label"]) for row in rows] == [
        "Eurofighter Typhoon",
        "F-16A/B",
    ]
    expected = [files[f"{top}/images/{name}.jpg"] for name in ("0034958", "0034309")]
    assert [row["image"] for row in rows] == expected


def test_imagenet_o_has_no_labels(tmp_path: Path) -> None:
    """A folder name is not the class of its images."""
    files = images_named("imagenet-o/n01443537/n1_2.JPEG", "imagenet-o/n02077152/x.jpg")
    archive = tar({"imagenet-o/README.txt": b"read me"} | files)
    rows = read(tmp_path, "imagenet-o", "test", archive=archive)
    assert [(row["wnid"], row["image"]) for row in rows] == [
        ("n01443537", files["imagenet-o/n01443537/n1_2.JPEG"]),
        ("n02077152", files["imagenet-o/n02077152/x.jpg"]),
    ]
    assert {column for row in rows for column in row} == {"image", "wnid"}


@pytest.mark.parametrize("fold", [1, 2, 10])
def test_each_partition_of_textures_has_its_own_lists(tmp_path: Path, fold: int) -> None:
    files = images_named(*[f"dtd/images/banded/banded_{i:04d}.jpg" for i in range(11)])
    for i in range(1, 11):
        for part in ("train", "val", "test"):
            files[f"dtd/labels/{part}{i}.txt"] = f"banded/banded_{i:04d}.jpg\n".encode()
    archive = tar(files, "w:gz")
    for split in ("train", "validation", "test"):
        rows = read(tmp_path, f"dtd-folds/{fold}", split, archive=archive)
        assert [row["image"] for row in rows] == [files[f"dtd/images/banded/banded_{fold:04d}.jpg"]]


def test_stray_file_of_textures_is_skipped(tmp_path: Path) -> None:
    files = images_named("dtd/images/waffled/waffled_0001.jpg", "dtd/images/banded/banded_0002.jpg")
    lists = {"dtd/labels/test1.txt": b"banded/banded_0002.jpg\n"}
    archive = tar(files | lists | {"dtd/images/waffled/.directory": b"[Dolphin]"})
    (row,) = read(tmp_path, "dtd", "test", archive=archive)
    assert row == {"image": files["dtd/images/banded/banded_0002.jpg"], "label": 0}


def test_scenes_are_one_or_two_folders_deep(tmp_path: Path) -> None:
    """The class is the path below the folder of its first letter."""
    files = images_named("SUN397/a/abbey/sun_a.jpg", "SUN397/c/church/outdoor/sun_b.jpg")
    archive = tar(files | {"SUN397/ClassName.txt": b"/a/abbey"})
    rows = read(tmp_path, "sun397", "train", archive=archive)
    assert [classes("sun397").str(row["label"]) for row in rows] == ["abbey", "church/outdoor"]


def test_images_of_sun397_that_decode_differently_are_skipped(tmp_path: Path) -> None:
    """Decoders disagree about the pixels of these images."""
    folder = "SUN397/t/track/outdoor"
    files = images_named(
        "SUN397/c/church/outdoor/sun_bhenjvsvrtumjuri.jpg",
        f"{folder}/sun_aophkoiosslinihb.jpg",
        f"{folder}/sun_b.jpg",
    )
    rows = read(tmp_path, "sun397", "train", archive=tar(files))
    assert [row["image"] for row in rows] == [files[f"{folder}/sun_b.jpg"]]


def test_validation_set_of_places_has_numbered_classes(tmp_path: Path) -> None:
    names = classes("places365/small").names
    number = next(i for i, name in enumerate(names) if "/" in name)
    folder = f"data_256/{names[number][0]}/{names[number]}"
    train = tar(images_named(f"{folder}/00000001.jpg"))
    val = tar(images_named("val_256/Places365_val_00000001.jpg"))
    lists = tar({"places365_val.txt": f"Places365_val_00000001.jpg {number}\n".encode()})
    files = {"train": train, "val": val, "lists": lists}
    for split in ("train", "validation"):
        (row,) = read(tmp_path, "places365/small", split, **files)
        assert row["label"] == number


def test_splits_and_boxes_of_birds_come_from_lists(tmp_path: Path) -> None:
    top = "CUB_200_2011"
    first, second = "001.Black_footed_Albatross/a.jpg", "200.Common_Yellowthroat/b.jpg"
    lists = {
        "images.txt": f"1 {first}\n2 {second}\n",
        "train_test_split.txt": "1 0\n2 1\n",
        "bounding_boxes.txt": "1 60.0 27.0 325.0 304.0\n2 1.5 2.0 3.0 4.0\n",
    }
    archive = tar(
        images_named(f"{top}/images/{second}", f"{top}/images/{first}")
        | {f"{top}/{name}": text.encode() for name, text in lists.items()},
        "w:gz",
    )
    (train,) = read(tmp_path, "cub-200-2011", "train", archive=archive)
    (test,) = read(tmp_path, "cub-200-2011", "test", archive=archive)
    assert (train["label"], train["x"], train["height"]) == (199, 1.5, 4.0)
    assert (test["label"], test["x"], test["height"]) == (0, 60.0, 304.0)


def test_validation_set_of_imagenet_has_classes_of_its_devkit(tmp_path: Path) -> None:
    """Line n is for image n. Class 1 of the devkit, the kit fox, is 278 in sorted order."""
    name = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    val = tar(images_named("ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000001.JPEG"))
    devkit = tar({name: b"490\n1\n"}, "w:gz")
    rows = read(tmp_path, "imagenet-1k", "validation", val=val, devkit=devkit)
    assert [classes("imagenet-1k").code(row["label"]) for row in rows] == ["n02119789", "n01751748"]
    assert rows[0]["label"] == 278


def test_noise_of_speech_commands_is_a_class(tmp_path: Path) -> None:
    wav = b"RIFF"
    archive = tar({"yes/0a_nohash_0.wav": wav, "_silence_/running_tap.wav": wav}, "w:gz")
    rows = read(tmp_path, "speech-commands/v0.02", "validation", validation=archive)
    names = [classes("speech-commands/v0.02").str(row["label"]) for row in rows]
    assert names == ["yes", "_silence_"]


def test_classes_and_splits_of_flowers_come_from_matlab_files(tmp_path: Path) -> None:
    sets = io.BytesIO()
    savemat(
        sets,
        {
            "trnid": np.array([[3, 1]], np.uint16),
            "valid": np.array([[4]], np.uint16),
            "tstid": np.array([[2, 5]], np.uint16),
        },
    )
    labels = io.BytesIO()
    savemat(labels, {"labels": np.array([[77, 1, 102, 5, 5]], np.uint8)})
    files = images_named(*[f"jpg/image_{number:05d}.jpg" for number in range(1, 6)])
    resources = {
        "images": tar(files, "w:gz"),
        "labels": labels.getvalue(),
        "sets": sets.getvalue(),
    }
    expected = {"train": [(3, 101), (1, 76)], "validation": [(4, 4)], "test": [(2, 0), (5, 4)]}
    for split, rows in expected.items():
        loaded = read(tmp_path, "flowers-102", split, **resources)
        assert [(row["image"], row["label"]) for row in loaded] == [
            (files[f"jpg/image_{number:05d}.jpg"], label) for number, label in rows
        ]


def test_training_set_of_dogs_comes_from_matlab_cells(tmp_path: Path) -> None:
    names = ["n02085620-Chihuahua/n02085620_5927.jpg", "n02116738-African_hunting_dog/n_1.jpg"]
    list_file = io.BytesIO()
    cells = np.empty((1, 1), object)
    cells[0, 0] = names[1]
    savemat(list_file, {"file_list": cells, "labels": np.array([[120.0]])})
    images = tar(images_named(*[f"Images/{name}" for name in names]))
    lists = tar({"test_list.mat": list_file.getvalue()})
    (row,) = read(tmp_path, "stanford-dogs", "test", images=images, lists=lists)
    assert classes("stanford-dogs").str(row["label"]) == "African_hunting_dog"


def test_images_of_both_car_sets_have_the_same_names(tmp_path: Path) -> None:
    resources = {}
    for split, label in (("train", 14), ("test", 196)):
        kinds = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
        annotations = np.array([[(np.uint8(39), np.uint8(label), "00001.jpg")]], kinds)
        sink = io.BytesIO()
        savemat(sink, {"annotations": annotations})
        resources[f"{split}_images"] = tar(images_named(f"cars_{split}/00001.jpg"), "w:gz")
        resources[f"{split}_list"] = sink.getvalue()
    files = {
        "train-images": resources["train_images"],
        "test-images": resources["test_images"],
        "test-list": resources["test_list"],
        "devkit": tar({"devkit/cars_train_annos.mat": resources["train_list"]}, "w:gz"),
    }
    for split, label in (("train", 13), ("test", 195)):
        (row,) = read(tmp_path, "stanford-cars", split, **files)
        assert row == {"image": JPEG + f"cars_{split}/00001.jpg".encode(), "label": label}


def test_caltech_101_is_an_archive_in_an_archive(tmp_path: Path) -> None:
    top = "101_ObjectCategories"
    inner = tar(
        images_named(
            f"{top}/BACKGROUND_Google/image_0001.jpg",
            f"{top}/BACKGROUND_Google/tmp",
            f"{top}/yin_yang/image_0060.jpg",
            f"{top}/Faces/image_0001.jpg",
        ),
        "w:gz",
    )
    archive = zipped({"caltech-101/101_ObjectCategories.tar.gz": inner, "caltech-101/a": b""})
    rows = read(tmp_path, "caltech-101", "train", archive=archive)
    names = [classes("caltech-101").str(row["label"]) for row in rows]
    assert names == ["yin_yang", "Faces"]


def test_imagenet_is_a_tar_of_tars(tmp_path: Path) -> None:
    inner = {
        f"{code}.tar": tar(images_named(f"{code}_1.JPEG")) for code in ("n01498041", "n15075141")
    }
    rows = read(tmp_path, "imagenet-1k", "train", train=tar(inner))
    assert [row["label"] for row in rows] == [6, 999]
