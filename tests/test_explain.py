import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from pipeline import Article, classify, cli
from pipeline.artifact import save_model
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.explain import Explanation, Term, explain, explain_mistakes
from pipeline.report import format_explanations
from pipeline.themes import Taxonomy

from .conftest import FILLER, TOY_WORDS, make_toy_articles, write_jsonl

Capture = pytest.CaptureFixture[str]
WORDS = [*" ".join(TOY_WORDS.values()).split(), *FILLER.split()]
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map(lambda word: f"«وال{word}ـــ»،"),
    st.sampled_from(
        ["<a href='x y'>ميناء</a>", "<b", "بحر>", "&nbsp;", "#ميناء_بحر", "https://a.example/b", "ﻣﻴﻨﺎﺀ", "\ud800"]
    ),
    st.text(st.sampled_from("ابتثجحخدذرزسشىيةئؤءآأ\u064b\u0651\u0654\u200d ab1٣.#_<>&/\"='\n"), max_size=12),
)


@pytest.fixture(scope="module")
def build(config: Config, toy_taxonomy: Taxonomy) -> Callable[..., ThemeClassifier]:
    def fit(**features: Any) -> ThemeClassifier:
        rows = make_toy_articles(80)
        labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
        changed = replace(config, features=replace(config.features, **features))
        return build_model(changed, toy_taxonomy).fit([f"{row['title']}\n{row['text']}" for row in rows], labels)

    return fit


@pytest.fixture(scope="module")
def model(build: Callable[..., ThemeClassifier]) -> ThemeClassifier:
    return build()


def words_of(explained: Explanation) -> Any:
    return pytest.approx(dict(explained.words))


def check_sums(model: ThemeClassifier, text: str) -> None:
    (prediction,) = classify(model, [text])
    for explained in explain(model, text):
        assert explained.score == {**prediction.scores, "none": prediction.none}[explained.theme]
        assert explained.given == (explained.theme in (prediction.themes or ("none",)))
        by_terms = explained.bias + sum(term.weight for term in explained.terms)
        by_words = explained.bias + sum(weight for _, weight in (*explained.words, *explained.unplaced))
        assert expit(by_terms) == pytest.approx(explained.score, abs=1e-4)
        assert by_terms == pytest.approx(explained.log_odds, abs=1e-9) == pytest.approx(by_words, abs=1e-9)
        assert [word for word, _ in explained.words] == text.split()


@pytest.mark.parametrize(
    "features",
    [
        {},
        {"head_weight": 3},
        {"word_ngrams": (2, 3), "char_weight": 0.0},
        {"char_ngrams": (2, 9), "keyword_weight": 0.0, "sublinear_tf": False, "max_features": 300},
    ],
)
def test_weights_sum_to_the_log_odds(build: Callable[..., ThemeClassifier], features: dict[str, Any]) -> None:
    model = build(**features)
    assert explain(model, " ".join(WORDS))

    @settings(max_examples=40, deadline=None)
    @given(st.lists(PIECES, max_size=30), st.sampled_from([" ", "\n", "\t\u00a0"]))
    def check(pieces: list[str], space: str) -> None:
        check_sums(model, space.join(pieces))

    check()


def test_a_pair_is_dealt_out_to_both_words_and_a_word_to_its_occurrences(build: Callable[..., ThemeClassifier]) -> None:
    model = build(char_weight=0.0, keyword_weight=0.0)
    article = next(row["text"] for row in make_toy_articles(80) if row["themes"] == ["sea"])
    seen, other = next(pair for pair in pairwise(article.split()) if _knows(model, " ".join(pair)))
    (explained, *_) = explain(model, f"{seen} {other}")
    weights = {term.text: term.weight for term in explained.terms}
    normalize = model.features_.normalizer.normalize
    pair = weights[normalize(f"{seen} {other}")] / 2
    assert words_of(explained) == {word: weights.get(normalize(word), 0) + pair for word in (seen, other)}
    (explained, *_) = explain(model, f"{seen} غيرمعروف {seen}")
    (term,) = explained.terms
    assert explained.words == ((seen, term.weight / 2), ("غيرمعروف", 0), (seen, term.weight / 2))


def _knows(model: ThemeClassifier, run: str) -> bool:
    return f"words__{model.features_.normalizer.normalize(run)}" in model.features_.get_feature_names_out()


def test_a_word_outside_the_vocabulary_has_the_weights_of_its_letters(build: Callable[..., ThemeClassifier]) -> None:
    (explained, *_) = explain(build(char_weight=1.0), "سفينتهم")
    assert explained.theme == "sea"
    assert {term.kind for term in explained.terms} == {"chars"}
    assert {"سفـ", "سفينـ", "ـفينـ"} <= {term.text for term in explained.terms}
    assert words_of(explained) == {"سفينتهم": sum(term.weight for term in explained.terms)}
    assert explained.log_odds > explained.bias


def test_keywords_are_dealt_out_to_the_words_that_are_keywords(build: Callable[..., ThemeClassifier]) -> None:
    model = build(word_ngrams=(2, 2), char_weight=0.0)
    (explained, *_) = explain(model, "غيرمعروف والميناء")
    assert {(term.kind, str(term)) for term in explained.terms} == {
        ("rate", "keywords of sea"),
        ("lead", "keywords of sea in the lead"),
    }
    assert words_of(explained) == {"غيرمعروف": 0, "والميناء": explained.log_odds - explained.bias}


def test_terms_and_themes_come_strongest_first(model: ThemeClassifier) -> None:
    explanations = explain(model, " ".join(WORDS))
    assert len(explanations) == 2
    scores = [explained.score for explained in explanations]
    assert scores == sorted(scores, reverse=True)
    for explained in explanations:
        strengths = [abs(term.weight) for term in explained.terms]
        assert strengths == sorted(strengths, reverse=True)


def test_themes_nearly_given_are_explained_and_others_not(model: ThemeClassifier) -> None:
    scores = classify(model, ["ميناء سفينة"])[0].scores

    def themes(threshold: float) -> list[str]:
        changed = model.set_params(thresholds={"sea": 1.0, "sky": threshold})
        return [explained.theme for explained in explain(changed, "ميناء سفينة")]

    try:
        assert themes(1.99 * scores["sky"]) == ["sea", "sky"]
        assert themes(2.01 * scores["sky"]) == ["sea"]  # the highest, though its own threshold is out of reach
    finally:
        model.set_params(thresholds=None)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("قال: «المِينَاءُ»،", "«المِينَاءُ»،"),
        ("<a href='ab cd'>ميناء</a> غدا", "cd'>ميناء</a>"),
        ("قال\u00a0&nbsp;#ميناء_غيرمعروف", "&nbsp;#ميناء_غيرمعروف"),
    ],
)
def test_words_keep_the_spelling_of_the_article(model: ThemeClassifier, text: str, piece: str) -> None:
    (explained, *_) = explain(model, text)
    assert explained.theme == "sea"
    assert max(explained.words, key=lambda word: word[1])[0] == piece
    assert not explained.unplaced


def test_a_repeated_head_has_its_place_once(build: Callable[..., ThemeClassifier]) -> None:
    (explained, *_) = explain(build(head_weight=3), "ميناء غيرمعروف\nقال بيان")
    assert [word for word, _ in explained.words] == ["ميناء", "غيرمعروف", "قال", "بيان"]
    assert max(explained.words, key=lambda word: word[1])[0] == "ميناء"
    assert not explained.unplaced


def test_words_are_placed_around_what_the_model_does_not_read(model: ThemeClassifier) -> None:
    # The comment is one thing to the normalizer, and several pieces to who cuts at white space.
    (explained, *_) = explain(model, "ميناء <!-- سفينة بحر --> قارب")
    assert explained.unplaced == ()
    assert [word for word, weight in explained.words if weight] == ["ميناء", "قارب"]
    assert [word for word, _ in explained.words] == ["ميناء", "<!--", "سفينة", "بحر", "-->", "قارب"]


def test_none_is_explained_as_a_theme_is(model: ThemeClassifier) -> None:
    for text, no_theme in (("خبز سوق كتاب مدرسة", True), ("ميناء سفينة بحر قارب", False)):
        (explained,) = explain(model, text, themes=["none"])
        assert (explained.theme, explained.given) == ("none", no_theme)
        assert expit(explained.log_odds) == pytest.approx(classify(model, [text])[0].none, abs=1e-4)
        assert all((weight > 0) == no_theme for _, weight in explained.words)
        assert "none" in format_explanations(Article("7", "", text), [explained], model.taxonomy)


def test_mistakes_name_the_words_that_decided(model: ThemeClassifier) -> None:
    texts, labels = ["خبز سوق", "ميناء سفينة", "ميناء بحر"], np.array([[0, 1], [1, 0], [1, 1]], dtype=np.int8)
    missed, right, half = explain_mistakes(model, texts, labels, model.predict(texts))
    assert (list(missed), right, list(half)) == (["none", "sky"], {}, ["sky"])
    assert re.fullmatch(r"\w+ \+\d\.\d\d, \w+ \+\d\.\d\d", missed["none"])


@pytest.mark.parametrize("text", ["", " \n", "…", "Nur Latein hier", "\ud800"])
def test_no_known_word_no_explanation(model: ThemeClassifier, text: str) -> None:
    assert explain(model, text) == []
    lines = format_explanations(Article("7", "", text), [], model.taxonomy).splitlines()
    assert lines[-1] == "    no known word, so no evidence for any theme"


def test_explaining_changes_nothing_and_is_repeatable(model: ThemeClassifier) -> None:
    before = set(vars(model)), set(vars(model.features_)), set(vars(model.features_.ngrams_))
    text = Article("1", "ميناء", "سفينة في بحر")
    assert explain(model, text) == explain(model, text.full_text)
    assert before == (set(vars(model)), set(vars(model.features_)), set(vars(model.features_.ngrams_)))


def test_the_printed_weights_add_up(model: ThemeClassifier) -> None:
    text = " ".join(WORDS * 2)
    printed = format_explanations(Article("7", "", text), explain(model, text), model.taxonomy)
    head, *tables = printed.split("threshold")
    assert head.startswith("7  ميناء سفينة")
    assert tables
    for table in tables:
        *parts, total = map(float, re.findall(r"[+-]\d+\.\d\d", table))
        assert len(parts) > 10
        assert sum(parts) == pytest.approx(total, abs=1e-9)


def test_words_are_named_once_with_their_number(toy_taxonomy: Taxonomy) -> None:
    words = (("«بحر»،", 1.0), ("بحر", 0.5), ("–", 0.0), ("خبز", -0.25))
    explained = Explanation(
        "sea", 0.777, 0.5, True, 0.0, (Term("words", "بحر", 1.5), Term("words", "خبز", -0.25)), words, ()
    )
    assert format_explanations(Article("7", "بحر", "نص"), [explained], toy_taxonomy).splitlines() == [
        "7  بحر",
        "",
        "    sea  score 0.78, threshold 0.50: yes  ميناء",
        "        times  weight                     word",
        "        2       +1.50                      بحر",
        "        1       -0.25                      خبز",
        "        0       +0.00  (other words, rounding)",
        "                +0.00                   (bias)",
        "                +1.25               (log-odds)",
    ]


def test_the_strongest_words_are_shown_and_the_others_summed_up(toy_taxonomy: Taxonomy) -> None:
    weights = [*(0.3 + i / 10 for i in range(11)), *(-0.3 - i / 10 for i in range(7))]
    words = tuple((f"كلمة{i}", weight) for i, weight in enumerate(weights))
    explained = Explanation("sea", 0.9, 0.5, True, -1.0, tuple(Term("words", *word) for word in words), words, ())
    lines = format_explanations(Article("7", "", ""), [explained], toy_taxonomy).splitlines()[4:]
    assert [float(line.split()[1]) for line in lines[:13]] == [
        1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, -0.9, -0.8, -0.7, -0.6, -0.5
    ]  # fmt: skip
    assert lines[13].split()[:2] == ["5", "+0.50"]


def test_the_command(model: ThemeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    path = tmp_path / "model.joblib"
    save_model(model, {}, path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("ميناء سفينة بحر قارب".encode())))
    assert cli.main(["explain", "--model", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stdin  ميناء سفينة بحر قارب"
    assert lines[2].split()[0] == "sea"

    rows = write_jsonl(
        tmp_path / "a.jsonl", [{"id": "1", "text": "ميناء"}, {"text": 5}, {"id": "2", "text": "only Latin"}]
    )
    page = tmp_path / "new" / "page.html"
    pages = []
    for _ in range(2):
        assert cli.main(["explain", "--model", str(path), "--html", str(page), str(rows)]) == 2
        pages.append(page.read_bytes())
    captured = capsys.readouterr()
    assert captured.out == f"page {page}\n" * 2
    assert f"{rows}:2: 'title' and 'text' must be texts" in captured.err
    assert pages[0] == pages[1]
    assert pages[0].count(b"<article>") == 2

    assert cli.main(["explain", "--model", str(path), "no.txt"]) == 2
    assert "error: no.txt: no such file" in capsys.readouterr().err
    assert cli.main(["explain", "--model", str(path), "--html", str(rows / "page.html"), str(rows)]) == 1
    assert "Traceback" not in capsys.readouterr().err
