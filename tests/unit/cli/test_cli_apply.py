"""`engage apply` of plans, and of databases: what is not there is not made for the sake of looking into it."""

import pytest

from engage.cli.app import main


@pytest.mark.parametrize("args", [["plan-zzzz"], ["--undo", "plan-zzzz"]])
def test_a_plan_is_not_looked_for_in_a_database_of_its_own_making(args, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["--lang", "en", "init", "shop"])
    monkeypatch.chdir(tmp_path / "shop")
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "en", "apply", *args])
    assert ended.value.code == 4
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / "shop" / "engage.db").exists()


def test_a_database_that_was_there_is_to_be_put_back_not_made_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["--lang", "en", "init", "shop"])
    monkeypatch.chdir(tmp_path / "shop")
    (tmp_path / "shop" / "engage.db.life").write_text("{}")  # what a daemon leaves beside the one it works with
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "en", "status"])
    assert ended.value.code == 4
    assert "is gone: put it back where it was" in " ".join(capsys.readouterr().err.split())
