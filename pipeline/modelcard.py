"""The model card as people read it: purpose, data, figures, limits, in Markdown."""

from typing import Any

from .report import format_markdown

_OVERALL = {"f1_micro": "micro F1", "f1_macro": "macro F1", "f1_none": "F1 of none", "subset_accuracy": "exact set"}
_PARTS = {"cross_validation": "cross-validation", "test": "held-out test"}


def describe_model(card: dict[str, Any]) -> str:
    """Write the description of a model after its card."""
    corpus, source = card["corpus"], card["source"]
    n_themes = len(card["themes"])
    arabic = "، ".join(theme["ar"] for theme in card["themes"])
    commit = "unknown" if source["commit"] is None else f"`{source['commit'][:12]}`"
    if source["dirty"]:
        commit += ", with changes that are not committed"
    several = f"{corpus['several_themes']} with several, {corpus['none']} with none"
    return "\n\n".join(
        [
            f"Which of {n_themes} themes is an Arabic news article about? A calibrated linear classifier each.",
            arabic,
            f"**Data**: {corpus['articles']} articles ({several}); corpus `{corpus['sha256'][:12]}`, code {commit}.",
            "**Figures**, with 95 % intervals, on articles it was not fitted on:",
            _table(card, [*_OVERALL.items()], lambda part, key: (part[key], part[f"{key}_interval"])),
            "F1 by theme:",
            _table(
                card,
                [(theme["name"], theme["ar"]) for theme in card["themes"]],
                lambda part, key: (part["themes"][key]["f1"], part["themes"][key]["f1_interval"]),
            ),
            "**Limits**\n\n" + "\n".join(f"- {limit}" for limit in card["limits"]),
        ]
    )


def _table(card: dict[str, Any], rows: list[tuple[str, str]], read: Any) -> str:
    parts = {name: card["metrics"][part] for part, name in _PARTS.items()}
    header = ["", *(f"{name}, {part['n']} articles" for name, part in parts.items())]
    return format_markdown(
        header, [[name, *(_cell(*read(part, key)) for part in parts.values())] for key, name in rows]
    )


def _cell(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" + (f" [{interval[0]:.2f}–{interval[1]:.2f}]" if interval else "")
