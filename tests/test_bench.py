"""The benches that follow an update run on the code as it is."""

import pytest

from bench import house, update_path


def test_house_counts_the_stays_of_a_keystroke(capsys: pytest.CaptureFixture[str]) -> None:
    house.main([])
    lines = capsys.readouterr().out.splitlines()
    (stays,) = (line.split()[4] for line in lines if line.startswith("stays of a keystroke"))
    house.main(["--way", "keystroke"])
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == int(stays)
    assert "collab/room/room.py:step" in listed[0]
    assert any("collab/protocol/rows.py:encode_entries" in line for line in listed)


@pytest.mark.parametrize("way", house._ways())
def test_house_follows_every_sort_of_update_into_the_room(way: str) -> None:
    functions = {stay[2] for stay in house._follow(house._ways()[way]).stays}
    assert any(file.endswith("crdt/document.py") for file in functions)


def test_update_path_measures_each_workload(capsys: pytest.CaptureFixture[str]) -> None:
    update_path.main(["--rounds", "1", "--updates", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip("0123456789. ") for line in lines[1:]] == [
        "keystroke",
        "update of 1,000 structs",
        "SyncStep2, 1,000 known, 1 new",
    ]
