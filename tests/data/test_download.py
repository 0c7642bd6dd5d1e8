"""Downloads, against a server on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from scripts.data import build_source
from scripts.data.download import download
from scripts.errors import InputError


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def log_message(self, *args):
        self.asked.append(self.path)


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    Quiet.asked = []
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def archive(server, tmp_path, picture, mask):
    """CHASE in a zip, as (URL, checksum)."""
    folder, address = server
    files = [picture(tmp_path / "made" / "Image_01L.jpg"), mask(tmp_path / "made" / "Image_01L_1stHO.png")]
    with zipfile.ZipFile(folder / "data.zip", "w") as packed:
        for path in files:
            packed.write(path, path.name)
    return f"{address}/data.zip", f"sha256:{hashlib.sha256((folder / 'data.zip').read_bytes()).hexdigest()}"


def test_fetches_when_asked(archive, tmp_path):
    source = build_source("chase", dataset_dir=tmp_path / "CHASE", download=True, download_archives=dict([archive]))
    assert [record["image_id"] for record in source.records()] == ["Image_01L"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CHASE", "made", "served"]
    with pytest.raises(InputError, match="is not empty"):
        build_source("chase", dataset_dir=tmp_path / "CHASE", download=True, download_archives=dict([archive]))


@pytest.mark.parametrize("off", [False, None])
def test_never_fetches_unless_asked(archive, tmp_path, off):
    with pytest.raises(InputError, match="no such folder"):
        build_source("chase", dataset_dir=tmp_path / "CHASE", download=off, download_archives=dict([archive]))
    assert Quiet.asked == [] and not (tmp_path / "CHASE").exists()


def test_only_true_turns_it_on(archive, tmp_path):
    with pytest.raises(InputError, match="'yes' is not true or false"):
        build_source("chase", dataset_dir=tmp_path / "CHASE", download="yes", download_archives=dict([archive]))
    with pytest.raises(InputError, match="lists no 'URL: sha256"):
        build_source("chase", dataset_dir=tmp_path / "CHASE", download=True)
    assert Quiet.asked == []


def test_a_wrong_checksum_leaves_nothing(archive, tmp_path):
    url, _ = archive
    with pytest.raises(InputError, match=f"{url}: .*hash check"):
        download({url: "sha256:" + "0" * 64}, dataset_dir=tmp_path / "new" / "CHASE")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_second_archive_that_fails_leaves_nothing(archive, server, tmp_path):
    with pytest.raises(InputError, match=r"none.zip: .*404"):
        download(dict([archive, (f"{server[1]}/none.zip", "md5:" + "0" * 32)]), dataset_dir=tmp_path / "new" / "CHASE")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "checksum", "words"),
    [
        ("http://127.0.0.1/a.zip", "", "checksum ''"),
        ("http://127.0.0.1/a.zip", "sha256:12", "checksum 'sha256:12'"),
        ("http://127.0.0.1/a.zip", "crc:00", "checksum 'crc:00'"),
        ("http://127.0.0.1/a.rar", "md5:" + "0" * 32, "is not the http"),
        ("file:///etc/a.zip", "md5:" + "0" * 32, "is not the http"),
    ],
)
def test_refuses_before_asking(tmp_path, url, checksum, words):
    with pytest.raises(InputError, match=words):
        download({url: checksum}, dataset_dir=tmp_path / "CHASE")
    assert list(tmp_path.iterdir()) == []


def test_needs_a_folder(tmp_path):
    with pytest.raises(InputError, match="--dataset_dir"):
        download({"http://127.0.0.1/a.zip": "md5:" + "0" * 32}, dataset_dir="")
    with pytest.raises(InputError, match="lists no"):
        download({}, dataset_dir=tmp_path)


def hostile_zip(path):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../../escaped.txt", "x")


def hostile_tar(path):
    with tarfile.open(path, "w:gz") as packed:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        packed.addfile(link)


def broken(path):
    path.write_bytes(b"not an archive")


@pytest.mark.parametrize(("make", "name"), [(hostile_zip, "a.zip"), (hostile_tar, "a.tar.gz"), (broken, "b.zip")])
def test_hostile_and_broken_archives(server, tmp_path, make, name):
    folder, address = server
    make(folder / name)
    checksum = f"md5:{hashlib.md5((folder / name).read_bytes()).hexdigest()}"
    with pytest.raises(InputError, match=name):
        download({f"{address}/{name}": checksum}, dataset_dir=tmp_path / "deep" / "er" / "CHASE")
    assert not list(tmp_path.rglob("escaped.txt")) and list((tmp_path / "deep" / "er").iterdir()) == []


def test_archives_that_overlap_are_refused(archive, server, tmp_path):
    folder, address = server
    (folder / "again.zip").write_bytes((folder / "data.zip").read_bytes())
    with pytest.raises(InputError, match="which another archive holds too"):
        download(dict([archive, (f"{address}/again.zip", archive[1])]), dataset_dir=tmp_path / "new" / "CHASE")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_stays_a_disk_error(archive, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scripts.data.download.extractall", full)
    with pytest.raises(OSError, match="No space left"):
        download(dict([archive]), dataset_dir=tmp_path / "new" / "CHASE")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_wraps_the_archive_is_taken_off(server, tmp_path):
    folder, address = server
    with tarfile.open(folder / "CHASEDB1.tar.gz", "w:gz") as packed:
        member = tarfile.TarInfo("CHASEDB1/Image_01L.jpg")
        member.size = 1
        packed.addfile(member, io.BytesIO(b"x"))
    value = hashlib.sha512((folder / "CHASEDB1.tar.gz").read_bytes()).hexdigest()
    (tmp_path / "CHASE").mkdir()
    made = download({f"{address}/CHASEDB1.tar.gz": f"sha512:{value}"}, dataset_dir=tmp_path / "CHASE")
    assert [path.name for path in made.iterdir()] == ["Image_01L.jpg"]
