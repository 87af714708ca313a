from pipeline.report import format_comparison, format_table
from pipeline.train import Trained


def test_columns_are_aligned() -> None:
    assert format_table(["a", "bb"], [["long", "1"], ["x", "22"]]) == "a     bb\nlong   1\nx     22"


def test_the_comparison_names_every_theme_and_contender(trained: Trained) -> None:
    lines = format_comparison(trained.test).splitlines()
    assert lines[0].split("  ")[0] == "theme"
    assert "F1 keywords" in lines[0]
    assert "F1 textbook" in lines[0]
    for theme in trained.card["themes"]:
        (line,) = [line for line in lines if line.startswith(theme["name"])]
        perfect = trained.test.evaluations["model"].themes[theme["name"]].average_precision.value == 1
        assert line.count("[") == 6 - perfect  # nothing bounds a perfect average precision
    assert any(line.startswith("F1 none") for line in lines)
