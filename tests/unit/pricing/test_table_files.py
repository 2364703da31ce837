"""Price tables in TOML and JSON files."""

import json
import sys
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from keito.pricing import PriceTable, PriceTableError

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
GOOD = "[[prices]]\nmodel = 'm'\ninput = 1"


@pytest.fixture(autouse=True)
def toml() -> None:
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")


def written(folder: Path, name: str, text: str) -> PriceTable:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return PriceTable.from_toml(path) if name.endswith("toml") else PriceTable.from_json(path)


def test_the_example_is_a_table() -> None:
    table = PriceTable.from_toml(ROOT / "examples" / "own_prices.toml")
    assert (len(table.prices), table.currency, table.version) == (6, "USD", "contract 2026-11")
    found = table.rates("azure", ["gpt-5-mini-2025-08-07"], NOON)
    assert not isinstance(found, str)
    assert found is not None
    assert found.rates["input_mtok"].base == Decimal("0.225")
    assert table.rates("azure", ["gpt-5-mini"], NOON.replace(year=2027)) is None


def test_numbers_are_read_as_they_are_written(tmp_path: Path) -> None:
    exact = "0.1000000000000000055511151231"
    toml = written(tmp_path, "p.toml", f'[[prices]]\nmodel = "m"\ninput = {exact}\n')
    plain = written(tmp_path, "p.json", f'{{"prices": [{{"model": "m", "input": {exact}}}]}}')
    text = written(tmp_path, "t.json", f'{{"prices": [{{"model": "m", "input": "{exact}"}}]}}')
    assert [table.prices[0].input for table in (toml, plain, text)] == [Decimal(exact)] * 3


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    toml = written(tmp_path, "p.toml", """
currency = "EUR"
version = "1"
[[prices]]
model = "m"
input = 1
valid_from = 2026-01-01
valid_until = 2026-07-01T12:00:00Z
""")  # fmt: skip
    entry = {"model": "m", "input": 1, "valid_from": "2026-01-01", "valid_until": "2026-07-01T12:00:00Z"}
    assert toml == written(tmp_path, "p.json", json.dumps({"currency": "EUR", "version": "1", "prices": [entry]}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices = ", "no TOML: "),
        ("", "prices: the table has no entry"),
        ("prices = 3", "prices: the table has no entry"),
        ("prices = [3]", "prices 1 (no model): 3 is not a table of model, provider"),
        ("[[prices]]\ninput = 1", "prices 1 (no model): model: is missing"),
        (f"curency = 'EUR'\n{GOOD}", "curency: no such field; there are currency, version, prices"),
        ("version = 3\n[[prices]]\nmodel = 'm'\ninput = 1", "version: 3 is not a text"),
        ("currency = 'euro'\n[[prices]]\nmodel = 'm'\ninput = 1", "currency: 'euro' is not an ISO code"),
        ("[[prices]]\nmodel = 'm'\ninptu = 1", "prices 1 (m): inptu: no such field; there are model, "),
        (f"{GOOD}\n[[prices]]\nmodel = 'n'\noutput = -1", "prices 2 (n): output: -1 is not a price"),
        ("[[prices]]\nmodel = 'm'\ninput = nan", "prices 1 (m): input: NaN is not a price"),
        ("[[prices]]\nmodel = 'm'\ninput = 'much'", "prices 1 (m): input: 'much' is not understood"),
        (f"{GOOD}\nvalid_from = 'May'", "prices 1 (m): valid_from: 'May' is not understood"),
        (f"{GOOD}\nvalid_from = 2026-01-01T00:00:00", "valid_from: 2026-01-01 00:00:00 has no time zone"),
        (f"{GOOD}\n[[prices]]\nmodel = 'm'\ninput = 2", "prices 1 and 2: both are for 'm'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_file_the_entry_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PriceTableError) as raised:
        written(tmp_path, "prices.toml", text)
    assert str(raised.value).startswith(f"{tmp_path / 'prices.toml'}: ")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON: "),
        ("[]", "[] is not a table"),
        ('{"prices": [{"model": "m", "input": 1, "input": 2}]}', "'input' stands there twice"),
        ('{"prices": [{"model": "m", "input": NaN}]}', "prices 1 (m): input: NaN is not a price"),
    ],
)
def test_json_is_checked_alike(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PriceTableError) as raised:
        written(tmp_path, "prices.json", text)
    assert said in str(raised.value)


def test_a_file_that_is_no_text_or_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"currency = '\xe9'")
    with pytest.raises(PriceTableError, match=r"latin\.toml: not UTF-8"):
        PriceTable.from_toml(tmp_path / "latin.toml")
    with pytest.raises(FileNotFoundError):
        PriceTable.from_json(tmp_path / "none.json")


def test_without_a_toml_parser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ImportError, match=r'pip install "keito\[pricing\]"'):
        written(tmp_path, "prices.toml", "")
