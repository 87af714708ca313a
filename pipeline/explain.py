"""Why a theme was given or not: what each feature, and each word of an article, weighed.

The model is linear, so the explanation is exact: a theme's log-odds are a bias and the sum of its features' weights,
slope * value * coefficient. So are those of none, once it is known over which theme's plane the text lies highest. A
person wants words rather than runs of letters: each weight is dealt out evenly to the words of the article that the
feature was found in. The sum stays the same.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .article import Article
from .classifier import ThemeClassifier
from .features import TextFeatures, repeat_head
from .hashtable import Ints
from .keywords import LEAD
from .themes import NONE, Taxonomy
from .words import Words

_DECISIVE = 6  # words


@dataclass(frozen=True, slots=True)
class Term:
    """What one feature weighed in an article.

    Attributes
    ----------
    kind : {"words", "chars", "rate", "lead"}
        Word or run of words, run of letters inside a word, keywords of a theme in the article, and in its first words.
    text : str
        Normalized words; letters, with a tatweel where the word goes on: ``"ـرهابـ"``; or the theme's name.
    weight : float
        Log-odds; above 0 speaks for the theme.
    """

    kind: str
    text: str
    weight: float

    def __str__(self) -> str:
        """Say in plain words what it is.

        >>> str(Term("lead", "terrorism", 0.5)), str(Term("words", "خليه ارهابيه", 0.5))
        ('keywords of terrorism in the lead', 'خليه ارهابيه')
        """
        return {
            "rate": f"keywords of {self.text}",
            "lead": f"keywords of {self.text} in the lead",
        }.get(self.kind, self.text)


@dataclass(frozen=True)
class Explanation:
    """Why one article got one theme, or did not. ``bias`` plus all weights are the log-odds whose sigmoid is ``score``.

    Attributes
    ----------
    theme : str
        Or ``"none"``.
    score : float
        Probability, as `classify` gives it.
    threshold : float
        Lowest score that counts as yes.
    given : bool
        Whether the article got it.
    bias : float
        Log-odds of an article that nothing is known of.
    terms : tuple of Term
        By features, the strongest first.
    words : tuple of (str, float)
        The same weights by words: the article cut at white space, in its order and spelling.
    unplaced : tuple of (str, float)
        Normalized words that the model read but that were not found again in the article's spelling, with what they
        weighed; mostly none.
    """

    theme: str
    score: float
    threshold: float
    given: bool
    bias: float
    terms: tuple[Term, ...]
    words: tuple[tuple[str, float], ...]
    unplaced: tuple[tuple[str, float], ...]

    @property
    def log_odds(self) -> float:
        """Log-odds of the score."""
        return self.bias + sum(term.weight for term in self.terms)


def explain(
    model: ThemeClassifier,
    text: str | Article,
    *,
    themes: Collection[str] | None = None,
    names: NDArray[np.object_] | None = None,
) -> list[Explanation]:
    """Say what spoke for and against the themes that a text was given or nearly given.

    Parameters
    ----------
    model : ThemeClassifier
        From `pipeline.load_model`.
    text : str or Article
        Raw, as found, the title on the first line.
    themes : collection of str, default=None
        Those to explain; ``"none"`` may be among them. Without it the theme of the highest score, and all of them, none
        too, that reach half their threshold.
    names : ndarray of str, default=None
        ``model.features_.get_feature_names_out()``, which takes longer than all the rest: to be asked for once where
        many texts are explained.

    Returns
    -------
    list of Explanation, highest score first
        Empty for a text of which no feature is known: there is no evidence for any theme.
    """
    raw = text.full_text if isinstance(text, Article) else text
    features: TextFeatures = model.features_
    row = features.transform([raw])
    if not row.nnz:
        return []
    planes = _planes(model, raw, row.indices)
    order = sorted(planes, key=lambda theme: -planes[theme].score)
    if themes is None:
        first = next(theme for theme in order if theme != NONE)
        shown = [theme for theme in order if theme == first or planes[theme].score >= planes[theme].threshold / 2]
    else:
        shown = [theme for theme in order if theme in themes]
    weights = np.array([planes[theme].slopes for theme in shown]).reshape(len(shown), row.nnz) * row.data

    known = (features.get_feature_names_out() if names is None else names)[row.indices].tolist()
    words = features.normalizer.words(repeat_head([raw], features.head_weight))
    spelled, pieces = words.write(np.arange(len(words))), raw.split()
    sources = _sources(features, words, spelled)
    sizes = np.array([len(sources[name]) for name in known])
    by_word = np.zeros((len(words), len(shown)))
    np.add.at(by_word, np.concatenate([sources[name] for name in known]), (weights / sizes).T.repeat(sizes, axis=0))

    places = _place(features, words, raw)
    by_piece = np.zeros((len(pieces) + 1, len(shown)))  # the last row for words without a place
    np.add.at(by_piece, places, by_word)
    lost = np.flatnonzero(places < 0).tolist()
    by_strength = np.argsort(-np.abs(weights), axis=1, kind="stable").tolist()
    return [
        Explanation(
            theme,
            *planes[theme][:4],
            tuple(_term(known[j], float(weights[i, j]), model.taxonomy) for j in by_strength[i]),
            tuple(zip(pieces, by_piece[:-1, i].tolist(), strict=True)),
            tuple((spelled[j], float(by_word[j, i])) for j in lost),
        )
        for i, theme in enumerate(shown)
    ]


class _Plane(NamedTuple):
    """Of a theme, or of none: its answer, and the log-odds without any feature and by unit of each feature."""

    score: float
    threshold: float
    given: bool
    bias: float
    slopes: NDArray[np.float64]


def _planes(model: ThemeClassifier, text: str, columns: Ints) -> dict[str, _Plane]:
    """Give those of all themes, and of none, for the features in some columns."""
    scores = model.score_texts([text])
    given = model.decide(scores)[0].astype(np.bool_)
    coef, intercept = model.coef_[:, columns].astype(np.float64), model.intercept_
    planes = {}
    for i, name in enumerate(model.classes_.tolist()):
        slope, offset = model.calibration_[i].tolist()
        answer = (float(scores.themes[0, i]), float(model.thresholds_[i]), bool(given[i]))
        planes[name] = _Plane(*answer, slope * float(intercept[i]) + offset, slope * coef[i])
    if model.none_calibration_ is not None:
        slope, offset = (model.none_calibration_ * [-0.5, 1]).tolist()
        two = [int(scores.nearest[0]), -1]  # the mean of the distances from the nearest theme's plane and any theme's
        answer = (float(scores.none[0]), model.none_threshold_, not given.any())
        planes[NONE] = _Plane(*answer, slope * float(intercept[two].sum()) + offset, slope * coef[two].sum(axis=0))
    return planes


def explain_mistakes(
    model: ThemeClassifier, texts: Sequence[str], labels: NDArray[np.int8], predictions: NDArray[np.int8]
) -> list[dict[str, str]]:
    """Name the words that decided, for each theme that a text was wrongly given or not given.

    Returns
    -------
    list of dict, as long as `texts`
        Theme, and none where it was wrong about that, to ``"word +1.20, word -0.40"``, the strongest first; empty where
        the model was right.
    """
    names = model.features_.get_feature_names_out()
    wrong = [
        [*model.classes_[truth != said], *([NONE] if truth.any() != said.any() else [])]
        for truth, said in zip(labels, predictions, strict=True)
    ]
    return [
        {each.theme: _decisive(each) for each in explain(model, text, themes=themes, names=names)} if themes else {}
        for text, themes in zip(texts, wrong, strict=True)
    ]


def weigh_words(explained: Explanation) -> dict[str, list[float]]:
    """Gather the weights of each word of an article, however often it stands there; words of no weight are left out."""
    by_word: dict[str, list[float]] = defaultdict(list)
    for word, weight in (*explained.words, *explained.unplaced):
        if weight:
            by_word[strip(word) or word].append(weight)
    return by_word


def _decisive(explained: Explanation) -> str:
    weights = {word: sum(some) for word, some in weigh_words(explained).items()}
    ranked = sorted(weights, key=lambda word: -abs(weights[word]))
    return ", ".join(f"{word} {weights[word]:+.2f}" for word in ranked[:_DECISIVE])


def strip(word: str) -> str:
    """Take the punctuation from both ends of a word.

    >>> strip("«الأمن»:"), strip("شُرطةً،")
    ('الأمن', 'شُرطةً')
    """
    return word.strip("".join(sign for sign in word if unicodedata.category(sign)[0] not in "LMN"))


def _term(name: str, weight: float, taxonomy: Taxonomy) -> Term:
    """Name a feature in words."""
    kind, separator, text = name.partition("__")
    if not separator:
        return Term(name[:4], taxonomy.names[int(name[4:])], weight)
    if kind == "chars":
        text = f"{'' if text[0] == ' ' else 'ـ'}{text.strip(' ')}{'' if text[-1] == ' ' else 'ـ'}"
    return Term(kind, text, weight)


def _sources(features: TextFeatures, words: Words, spelled: Sequence[str]) -> dict[str, Ints]:
    """Give the words that each feature of one text is found in, by the feature's name; several times if it is."""
    ngrams, joined = features.ngrams_, words.codes.tobytes().decode("utf-32-le", "surrogatepass")
    sources: dict[str, list[int]] = defaultdict(list)
    shortest, longest = ngrams.word_ngrams
    for length in range(shortest, longest + 1):
        for start in range(len(words) - length + 1):
            run = " ".join(spelled[start : start + length])
            sources[f"words__{run}"] += range(start, start + length)
    if ngrams.char_ngrams is not None:
        owners, _, begins, sizes = words.cut(np.arange(len(words)), *ngrams.char_ngrams)
        for owner, begin, size in zip(owners.tolist(), begins.tolist(), sizes.tolist(), strict=True):
            sources[f"chars__{joined[begin : begin + size]}"].append(owner)
    if features.keywords_ is not None:
        for first, last, themes in zip(*features.keywords_.index.find(words), strict=True):
            for theme in np.flatnonzero(themes).tolist():
                sources[f"rate{theme}"] += range(first, last + 1)
                if last < LEAD:
                    sources[f"lead{theme}"] += range(first, last + 1)
    return {name: np.array(places) for name, places in sources.items()}


def _place(features: TextFeatures, words: Words, raw: str) -> Ints:
    """Find for each word that the model read its place among the pieces of the raw text between white space, or -1."""
    pieces, n_head = raw.split(), len(raw.partition("\n")[0].split())
    seen = [*range(n_head)] * (features.head_weight - 1) + [*range(len(pieces))]
    alone = features.normalizer.words([pieces[i] for i in seen])  # each piece by itself
    owners = np.array(seen, dtype=np.int64).take(alone.owners)
    if np.array_equal(alone.hashes, words.hashes):
        return owners
    # A rule of the normalizer looked beyond a piece: a tag, a script, a mark that composes.
    places = np.full(len(words), -1)
    matcher = SequenceMatcher(None, words.hashes.tolist(), alone.hashes.tolist())
    for ours, theirs, size in matcher.get_matching_blocks():
        places[ours : ours + size] = owners[theirs : theirs + size]
    return places
