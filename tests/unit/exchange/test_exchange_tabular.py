"""Files as people and programs really write them: read right, or refused row by row with a reason; never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_builders import a_file, a_table, good_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage.core.problem import Said
from engage.exchange.refusal import RowRefused
from engage.exchange.tabular import Row, Table, clean, open_table

HEAD = "会员号,姓名,手机\n"
ROW = {"会员号": "M1", "姓名": "王芳", "手机": "13800138000"}
PLAIN = f"{HEAD}M1,王芳,13800138000\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-8"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("gbk"),
        PLAIN.encode("gb18030"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        b"\xff\xfe" + PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n").encode("gbk"),
        PLAIN.replace("\n", "\r").encode("utf-8"),
        PLAIN.replace("\n", "\r").encode("gbk"),
        PLAIN.replace("\n", "\r\n").encode("utf-16"),
        PLAIN.rstrip("\n").encode("utf-8"),
        PLAIN.rstrip("\n").encode("gbk"),
        PLAIN.replace(",", "\t").encode("utf-8"),
        PLAIN.replace(",", "\t").encode("utf-16"),  # Excel's “Unicode text”
        PLAIN.replace(",", ";").encode("gbk"),
        PLAIN.replace(",", "，").encode("utf-8"),
        PLAIN.replace(",", "|").encode("utf-8"),
        (HEAD.replace(",", "，") + "M1,王芳,13800138000\n").encode("utf-8"),
        (HEAD.replace(",", "，", 1) + "M1,王芳,13800138000\n").encode("gbk"),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode("utf-8-sig"),
        ("\n\n" + PLAIN).encode("utf-8"),
        (",,\n" + PLAIN).encode("utf-8"),
        (HEAD + "\n  \n,,\nM1,王芳,13800138000\n\n\n").encode("utf-8"),
        (HEAD + "M1 , 王芳　,13800138000\t\n").encode("utf-8"),
        (HEAD + "M1,王芳,\u202d13800138000\u202c\n").encode("utf-8"),
        (HEAD + "\ufeffM1,王\u200b芳,13800138000\n").encode("utf-8"),
        (HEAD + "M1,王芳,'13800138000\n").encode("utf-8"),
        (HEAD + "`M1,王芳,`13800138000\n").replace("`M1", "M1").encode("utf-8"),
        (HEAD + 'M1,王芳,="13800138000"\n').encode("utf-8"),
        (HEAD + '"M1","王芳","13800138000"\n').encode("gbk"),
        ("会员号,姓名,手机,,\n" + "M1,王芳,13800138000,,\n").encode("utf-8"),
        (HEAD + "M1,王芳,13800138000,,,\n").encode("utf-8"),
        (" 会员号 ,　姓名,手机\u200b\n" + "M1,王芳,13800138000\n").encode("utf-8"),
    ],
)
def test_the_same_member_is_read_from_every_way_of_writing_the_file(tmp_path: Path, content: bytes) -> None:
    assert good_rows(a_file(tmp_path, content)) == [ROW]


@pytest.mark.parametrize("name", ["联通", "一些", "鑫", "龘", "𠮷野", "José", "☕", "ＡＢＣ", "·", "O'Brien"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_names_survive_their_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    """「联通」 in GBK looks like UTF-8 to careless readers; 𠮷 takes four bytes."""
    path = a_file(tmp_path, f"会员号,姓名\nM1,{name}\nM2,张三\nM3,李四\n", encoding=encoding)
    assert [row["姓名"] for row in good_rows(path)] == [name, "张三", "李四"]


def test_latin_text_in_a_western_encoding_is_read(tmp_path: Path) -> None:
    text = "member,name,city\n" + "".join(f"M{i},René Müller,Besançon\n" for i in range(20))
    assert good_rows(a_file(tmp_path, text, encoding="cp1252"))[0]["name"] == "René Müller"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"M1,\xff\xfe,1\n", "乱码"),
        ("M1,王芳,1\n".encode("gbk"), "乱码"),
        ("M1,�芳,1\n".encode(), "乱码"),
        (b"M1,\x00,1\n", "控制字符"),
        (b"M\x001,a,1\n", "控制字符"),
        (b"M1,a\x07b,1\n", "控制字符"),
        (b"M1,a\x7f,1\n", "控制字符"),
        ("M1,a\x85b,1\n".encode(), "控制字符"),
        (b"M1,a\n", "2 格"),
        (b"M1\n", "1 格"),
        (b"M1,a,1,extra\n", "4 格"),
        (b"M1,a,,1\n", "4 格"),
        (b"M1,Wang, Fang,1\n", "4 格"),
        (b'M1,"a,1\n', "引号"),
        (b'"M1,a,1\n', "引号"),
        (b"M1," + b"x" * 140_000 + b",1\n", "长得不正常"),
        (b"M1;a;1\n", "1 格"),
        ("M1，王芳，1\n".encode(), "1 格"),
    ],
)
def test_a_bad_row_is_refused_alone(tmp_path: Path, line: bytes, expected: str) -> None:
    """Its neighbours are read, and it has the number that a spreadsheet shows."""
    before = "".join(f"A{i},王芳,1\n" for i in range(3)).encode()
    content = HEAD.encode() + before + line + "Z1,王芳,1\nZ2,王芳,1\n".encode()
    rows = list(a_table(a_file(tmp_path, content)).rows)
    refused = [row for row in rows if isinstance(row, RowRefused)]
    assert [row.row for row in refused] == [5]
    assert expected in refused[0].reasons[0].why.zh
    assert [row.values["会员号"] for row in rows if isinstance(row, Row)] == ["A0", "A1", "A2", "Z1", "Z2"]


def test_a_row_pasted_from_a_utf8_file_into_a_gbk_file_is_refused(tmp_path: Path) -> None:
    """Both encodings can read it; only one of them says something."""
    gbk = HEAD.encode("gbk") + "".join(f"M{i},张伟,1\n" for i in range(5)).encode("gbk")
    rows = list(a_table(a_file(tmp_path, gbk + "M8,王芳,1\nM9,王芳芳,1\n".encode())).rows)
    for row in rows[-2:]:
        assert isinstance(row, RowRefused)
        assert "编码" in row.reasons[0].why.zh
    assert rows[-2].cells[1] == "王芳"  # shown as it was meant, for whoever puts it right
    assert [row.values["姓名"] for row in rows[:-2] if isinstance(row, Row)] == ["张伟"] * 5


def test_two_damaged_rows_do_not_decide_the_encoding(tmp_path: Path) -> None:
    content = HEAD.encode() + "".join(f"M{i},王芳,1\n" for i in range(9)).encode() + b"M9,\xd5,1\nM10,\xff\xff,1\n"
    rows = list(a_table(a_file(tmp_path, content)).rows)
    assert [row.row for row in rows if isinstance(row, RowRefused)] == [11, 12]


def test_line_breaks_and_delimiters_inside_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    path = a_file(tmp_path, '会员号,备注,手机\nM1,"第一行\n第二行, 带逗号 ""引号""",1\nM2,x,2\n')
    rows = list(a_table(path).rows)
    assert [(row.number, row.values["备注"]) for row in rows if isinstance(row, Row)] == [
        (2, '第一行\n第二行, 带逗号 "引号"'),
        (3, "x"),
    ]


def test_a_heading_may_have_a_line_break_in_it(tmp_path: Path) -> None:
    assert good_rows(a_file(tmp_path, '会员号,"手机\n（必填）",姓名\nM1,1,王芳\n')) == [
        {"会员号": "M1", "手机 （必填）": "1", "姓名": "王芳"}
    ]


def test_a_column_without_a_heading_is_called_by_its_number(tmp_path: Path) -> None:
    assert a_table(a_file(tmp_path, "会员号,,手机\nM1,x,1\n")).columns == ("会员号", "#2", "手机")


def test_every_unclosed_quote_costs_one_row_only(tmp_path: Path) -> None:
    """The next open quote would close it, and swallow the rows between them."""
    path = a_file(tmp_path, HEAD + "".join(f'M{i},"x,1\nN{i},y,2\n' for i in range(200)))
    rows = list(a_table(path).rows)
    assert [row.number for row in rows if isinstance(row, Row)] == list(range(3, 402, 2))
    assert [row.row for row in rows if isinstance(row, RowRefused)] == list(range(2, 402, 2))


def test_a_file_that_is_one_endless_line_is_no_table(tmp_path: Path) -> None:
    assert isinstance(open_table(a_file(tmp_path, "x" * 3_000_000)), Said)


def test_a_space_before_a_quote_does_not_matter(tmp_path: Path) -> None:
    assert good_rows(a_file(tmp_path, 'member, "name"\nM1, "Wang, Fang"\n')) == [{"member": "M1", "name": "Wang, Fang"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "空"),
        (b"\n\n\n", "空"),
        (b"\xef\xbb\xbf", "空"),
        (b"\xff\xfe", "空"),
        (b",,,\n,,,\n", "空"),
        ("会员号,手机,手机\nM1,1,2\n".encode(), "有两列都叫「手机」"),
        ("会员号,手机, 手机　\nM1,1,2\n".encode("gbk"), "有两列都叫「手机」"),
        (b"<html><table><tr><td>M1</td></tr></table></html>", "网页"),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "网页"),
        (b"<?xml version='1.0'?><Workbook/>", "网页"),
        (b"PK\x03\x04 this is no workbook", "工作簿"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 neither is this", "工作簿"),
        (b'"member,phone\nM1,1\n', "引号"),
        (b"mem\x00ber,phone\nM1,1\n", "控制字符"),
    ],
)
def test_a_file_without_a_table_says_what_it_is(tmp_path: Path, content: bytes, expected: str) -> None:
    found = open_table(a_file(tmp_path, content))
    assert isinstance(found, Said)
    assert expected in found.zh


def test_a_missing_file_and_a_folder_are_told_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        assert isinstance(open_table(path), Said)


def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    """The first rows are there before the last ones are looked at: nothing collects them."""
    path = a_file(tmp_path, HEAD + "M1,王芳,1\n" * 50_000)
    rows = a_table(path).rows
    first = next(rows)
    assert isinstance(first, Row)
    assert first.number == 2
    assert sum(1 for _ in rows) == 49_999


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("  a  ", "a"),
        ("　王芳　", "王芳"),
        ("'=1+1", "=1+1"),
        ("'+8613800138000", "+8613800138000"),
        ("'twas", "'twas"),
        ("’13800138000", "13800138000"),
        ('="0012"', "0012"),
        ("`4200001", "4200001"),
        ("\u200e138", "138"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_cells_lose_what_only_spreadsheets_see(cell: str, expected: str) -> None:
    assert clean(cell) == expected


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=400),
        st.text(alphabet="会员号,;\t\"'\n\r\x00�，=+ Ma1\ufeff", max_size=200).map(lambda text: text.encode("utf-8")),
        st.text(alphabet='会员王芳,"\n1', max_size=200).map(lambda text: text.encode("gbk")),
    )
)
def test_no_bytes_whatever_make_it_crash(tmp_path: Path, content: bytes) -> None:
    found = open_table(a_file(tmp_path, content))
    if isinstance(found, Table):
        assert len(set(found.columns)) == len(found.columns)
        for row in found.rows:
            assert isinstance(row, RowRefused) or tuple(row.values) == found.columns
