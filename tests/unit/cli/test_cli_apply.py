"""`engage apply` of plans: what is not there is not looked for in a database that is made for it."""

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
