"""Files that are read in batches and resumed exactly where they were left."""

from __future__ import annotations

import gzip
import io
import time
from contextlib import ExitStack

import pytest

from shopflow.errors import SettingsError
from shopflow.runtime.ingest import MAX_BYTES
from shopflow.runtime.sources import FileSource, StdinSource, open_sources

LINES = [f'{{"number": {number}}}'.encode() for number in range(10)]


@pytest.fixture(params=["plain", "packed"])
def file(request, tmp_path):
    """Writes a file with this content."""
    pack = gzip.compress if request.param == "packed" else bytes

    def write(content, name="events.jsonl"):
        path = tmp_path / name
        path.write_bytes(pack(content))
        return path

    return write


@pytest.fixture
def opened():
    """Opens a file after a position, and closes it in the end."""
    with ExitStack() as opened:

        def open_at(path, position="", **more):
            source = FileSource(path, **more)
            opened.callback(source.close)
            source.start(position)
            return source

        yield open_at


def everything(source, size=3):
    found = []
    while not source.at_end:
        found += source.read(size)
    return found


def raws(entries):
    return [entry.raw for entry in entries]


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_a_file_is_read_in_its_order_without_its_last_line_end_too(file, size, opened):
    assert raws(everything(opened(file(b"\n".join(LINES))), size)) == LINES


def test_empty_lines_and_a_byte_order_mark_are_no_events(file, opened):
    path = file(b"\xef\xbb\xbf" + LINES[0] + b"\r\n\r\n  \n" + LINES[1] + b"\n\n")
    assert raws(everything(opened(path))) == LINES[:2]


@pytest.mark.parametrize("after", range(10))
def test_reading_goes_on_after_any_line(file, after, opened):
    path = file(b"\n".join(LINES) + b"\n")
    position = everything(opened(path))[after].position
    assert raws(everything(opened(path, position))) == LINES[after + 1 :]


def test_another_file_under_the_same_name_is_read_from_its_start(file, opened):
    position = everything(opened(file(b"\n".join(LINES))))[-1].position
    path = file(b"\n".join(reversed(LINES)))
    assert len(everything(opened(path, position))) == 10


def test_a_file_that_has_become_shorter_is_read_from_its_start(file, opened):
    lines = [b"beginning" + b"x" * 300, *LINES]
    position = everything(opened(file(b"\n".join(lines))))[-1].position
    assert len(everything(opened(file(b"\n".join(lines[:3])), position))) == 3


def test_a_file_that_has_grown_is_read_on(tmp_path, opened):
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINES[0] + b"\n")
    position = everything(opened(path))[-1].position
    path.write_bytes(LINES[0] + b"\n" + LINES[1] + b"\n")
    assert raws(everything(opened(path, position))) == [LINES[1]]


def test_a_line_too_long_for_an_event_costs_itself_only(file, opened):
    path = file(LINES[0] + b"\n" + b"x" * (3 * MAX_BYTES) + b"\n" + LINES[1] + b"\n")
    first, long, last = everything(opened(path))
    assert (first.raw, last.raw) == (LINES[0], LINES[1])
    assert len(long.raw) == MAX_BYTES + 1
    assert raws(everything(opened(path, long.position))) == [LINES[1]]


def test_what_is_appended_is_followed_and_half_a_line_waits(tmp_path, opened):
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINES[0] + b"\n" + LINES[1][:5])
    source = opened(path, follow=True)
    assert raws(source.read(9)) == [LINES[0]]
    assert raws(source.read(9)) == []
    assert not source.at_end
    with path.open("ab") as more:
        more.write(LINES[1][5:] + b"\n")
    assert raws(source.read(9)) == [LINES[1]]


def test_a_packed_file_that_was_cut_off_is_told_with_its_place(tmp_path, opened):
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES * 1000))[:-200])
    with pytest.raises(SettingsError, match=r"events.jsonl.gz: cannot be read after line"):
        everything(opened(path), 500)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        open_sources([str(tmp_path / "missing.jsonl")])
    with pytest.raises(SettingsError, match="twice"):
        open_sources(["a", "a"])


def test_standard_input_is_read_to_its_end():
    source = StdinSource(io.BytesIO(b"\n".join([*LINES, b"", b"x" * (MAX_BYTES + 99), b"end"])))
    source.start("")
    found, deadline = [], time.monotonic() + 5
    while not source.at_end and time.monotonic() < deadline:
        found += source.read(4)
    assert raws(found[:10]) == LINES
    assert len(found[10].raw) == MAX_BYTES + 1
    assert found[11].raw == b"end"
