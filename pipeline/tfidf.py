"""TF-IDF of words, runs of words and runs of letters inside words: scikit-learn's, many times as fast.

What makes it fast: words, and all runs, are 64-bit hashes (`pipeline.words`), looked up in bulk (`pipeline.hashtable`);
the letters of a word that was known in training were looked up then; features are counted by sorting those of one text
at a time, which fit into the processor's nearest cache. What a feature is called is kept beside, so that it can be
explained.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from .hashtable import Hashes, HashTable, Ints, find_distinct
from .words import Words, batched, collect, distinct, encode, hash_letters, join, ranges

_NO_PLACES: Ints = np.zeros(0, dtype=np.int64)
_REMAINDERS = (1 << 22) - 3  # a prime number, much larger than the number of runs in most corpora
_CHUNK = 64  # texts whose features are counted at a time, so that they stay in the processor's cache
_DERIVED = ("_runs", "_letters", "_spelled", "_sizes", "_n_letters", "n_runs", "hashes")


class Sparse(NamedTuple):
    """Features of texts, row by row.

    Attributes
    ----------
    values : ndarray of float32, shape (n_values,)
    columns : ndarray of int, shape (n_values,)
        Those of a text in order.
    bounds : ndarray of int, shape (n_texts + 1,)
        Where the values of each text begin.
    """

    values: NDArray[np.float32]
    columns: Ints
    bounds: Ints


class NgramTfidf(TransformerMixin, BaseEstimator):
    r"""Two blocks of TF-IDF side by side: words, of length 1 a text, and letters, of about that length, times a weight.

    The features and values of scikit-learn's ``TfidfVectorizer(token_pattern=r"\\S+", lowercase=False)`` and
    ``TfidfVectorizer(analyzer="char_wb", lowercase=False, norm=None)`` with the same parameters and float32, in another
    order of columns; the tests compare them.

    A text's letters, counted plainly, are divided by the length they had if no run occurred in it twice: the root of
    the sum, over all running letters, of squared IDF. As a sum over words it can be looked up word by word, as can what
    the letters say: see `pipeline.projection`. Their true length is 1.0 to 1.45 times that in articles of up to 400
    words; it grows with the root of how often runs come again, 2.5 times at 5,000 words.

    Parameters
    ----------
    word_ngrams : tuple of int, default=(1, 2)
        Shortest and longest run of words. Words lie between spaces; case counts.
    char_ngrams : tuple of int or None, default=(3, 5)
        Shortest and longest run of letters inside a word, the spaces at its ends included; None leaves them out.
    min_df : int, default=2
        Texts a feature must occur in.
    sublinear_tf : bool, default=True
        1 + log(count) instead of the count, of words and their runs.
    char_weight : float, default=1.0
        Of the letters beside the words; more than 0.

    Attributes
    ----------
    vocabulary_ : str
        The words in `min_df` texts or more, with one space between: those that are features, sorted, then the others.
    runs_ : tuple of ndarray of int32, shape (n_runs, 2)
        For runs of 2, 3, … words: the number of all but the last word, among runs shorter by one, and of the last word.
        Those that are features, sorted, then those that are only part of longer ones.
    kept_ : tuple of int
        How many of the words, of the runs of 2, 3, … words are features.
    letters_ : tuple of str
        The runs of 1, 2, … letters, sorted, one after the other.
    idf_ : ndarray of float32, shape (n_features,)
    hashes : ndarray of uint64, shape (n_places,)
        Of what `find` knows: the runs of words that are features, in the order of their columns, then other words.
    n_runs : int
        How many of them are features.
    """

    hashes: Hashes
    n_runs: int
    _n_letters: int
    _runs: HashTable | None  # made where it is needed: a model that only classifies needs none

    def __init__(
        self,
        *,
        word_ngrams: tuple[int, int] = (1, 2),
        char_ngrams: tuple[int, int] | None = (3, 5),
        min_df: int = 2,
        sublinear_tf: bool = True,
        char_weight: float = 1.0,
    ) -> None:
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.min_df = min_df
        self.sublinear_tf = sublinear_tf
        self.char_weight = char_weight

    def fit(self, texts: Iterable[str], y: Any = None) -> Self:
        """Learn the features of texts and how rare each is.

        Raises
        ------
        ValueError
            If no word, or no run of the lengths asked for, occurs in `min_df` texts.
        """
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Iterable[str], y: Any = None) -> csr_matrix:
        """Learn, and give the features of the same texts, see `transform`."""
        return self.learn(list(_split(texts)))

    def transform(self, texts: Iterable[str]) -> csr_matrix:
        """Turn texts into features.

        Returns
        -------
        sparse matrix of float32, shape (n_texts, n_features)
            Zero for a text without a known word.
        """
        if not hasattr(self, "idf_"):
            raise NotFittedError("this NgramTfidf is not fitted yet; call fit first")
        return self.weigh(list(_split(texts)))

    def learn(self, chunks: Sequence[Words], others: Sequence[csr_matrix] = ()) -> csr_matrix:
        """Learn from texts that are split into words already, and give their features; as `fit_transform` does.

        To their right come `others` of the same texts, which so need not be copied once more.
        """
        counts = np.concatenate([np.zeros(0, dtype=np.int64), *(words.counts for words in chunks)])
        bounds = np.cumsum([0, *counts])
        lexicon, numbers = collect(chunks)
        in_texts = np.bincount(tally(numbers.copy(), bounds).columns, minlength=len(lexicon))
        frequent = (in_texts >= self.min_df).nonzero()[0]
        names = lexicon.write(frequent)
        order = sorted(range(len(names)), key=names.__getitem__)
        self.vocabulary_ = " ".join([names[i] for i in order])
        renumbered = np.full(len(lexicon), -1)
        renumbered[frequent[order]] = np.arange(len(names))
        self.runs_ = tuple(_learn_runs(renumbered.take(numbers), counts, self.word_ngrams[1], self.min_df))
        self.letters_: tuple[str, ...] = ()
        letters, spelled_in = [tally(_NO_PLACES, np.zeros(len(bounds), dtype=np.int64))], _NO_PLACES
        if self.char_ngrams is not None:
            self.letters_, spelled_in, letters = _learn_letters(
                lexicon, numbers, bounds, *self.char_ngrams, self.min_df
            )
        sizes = len(names), *map(len, self.runs_)
        self.kept_ = tuple(size if n >= self.word_ngrams[0] else 0 for n, size in enumerate(sizes, start=1))
        self._prepare()
        if not self.n_runs + self._n_letters:
            raise ValueError(f"no feature occurs in {self.min_df} texts or more; lower min_df, or give more texts")
        runs = [self._count_runs(words, self.find(words)) for words in chunks]
        found_in = np.bincount(np.concatenate([_NO_PLACES, *(part.columns for part in runs)]), minlength=self.n_runs)
        found_in = np.concatenate((found_in, spelled_in))
        self.idf_ = (np.log((1 + len(counts)) / (1 + found_in)) + 1).astype(np.float32)
        return self._join(list(map(self._weigh_runs, runs)), list(map(self._weigh_letters, letters)), others)

    def weigh(self, chunks: Sequence[Words], others: Sequence[csr_matrix] = ()) -> csr_matrix:
        """Turn texts that are split into words already into features, as `transform` does; for `others` see `learn`."""
        places = list(map(self.find, chunks))
        letters = [self._weigh_letters(self._count_letters(*part)) for part in zip(chunks, places, strict=True)]
        runs = [self._weigh_runs(self._count_runs(*part)) for part in zip(chunks, places, strict=True)]
        return self._join(runs, letters, others)

    def find(self, words: Words) -> Ints:
        """Find the runs of 1 word, of 2 words, … that begin at each word.

        Returns
        -------
        ndarray of int, shape (n_words, longest run of words)
            The column of each; for words that are known but no features, numbers from `n_runs` on; -1 for what is not
            known.
        """
        longest = self.word_ngrams[1]
        if self._runs is None:
            self._runs = HashTable(self.hashes)
        return self._runs.find(words.runs(longest).ravel()).reshape(len(words), longest)

    def pick_features(self, words: Words, places: Ints) -> tuple[Ints, Ints]:
        """Give those of the places from `find` that are features, text by text, and where those of each text begin."""
        flat = places.ravel()
        at = (flat.view(np.uint64) < self.n_runs).nonzero()[0]  # -1 is a high number there
        return flat.take(at), at.searchsorted(words.bounds * places.shape[1])

    def damp(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Say how many times a word, or a run of words, that occurs so often counts, see `sublinear_tf`."""
        return np.log(counts) + np.float32(1) if self.sublinear_tf else counts

    def spell(self, words: Words, some: Ints) -> tuple[Ints, Ints]:
        """Find the known runs of letters in some words: place of the word among them, number of the run."""
        assert self.char_ngrams is not None
        which, hashes, *_ = words.cut(some, *self.char_ngrams)
        found = self._letters.find(hashes)
        hits = (found >= 0).nonzero()[0]
        return which.take(hits), found.take(hits)

    def spelling(self) -> csr_matrix:
        """Say how often each known word, by its number in `find`, holds each run of letters: (n_places, n_letters)."""
        starts, letters = self._spelled
        values = np.ones(len(letters), dtype=np.float32)
        return csr_matrix((values, letters, starts), shape=(len(starts) - 1, self._n_letters))

    def prune(self, X: csr_matrix, kept: NDArray[np.bool_], others: Sequence[csr_matrix] = ()) -> csr_matrix:
        """Forget features.

        Parameters
        ----------
        X : sparse matrix of shape (n_texts, n_features)
            Features of some texts.
        kept : ndarray of bool, shape (n_features,)
            False for those to forget.
        others : sequence of sparse matrix
            See `learn`.

        Returns
        -------
        sparse matrix of shape (n_texts, n_kept + features of the others)
            What `transform` gives for these texts from now on: each block has its length again.
        """
        levels = np.split(kept[: self.n_runs], np.cumsum(self.kept_)[:-1])
        features = [
            np.append(level, np.zeros(size - len(level), dtype=np.bool_))
            for level, size in zip(levels, self._sizes, strict=True)
        ]
        parts = [np.ones(self._sizes[0], dtype=np.bool_), *(level.copy() for level in features[1:])]
        for shorter, longer, some in zip(parts[-2:0:-1], parts[:1:-1], self.runs_[:0:-1], strict=True):
            shorter[some[longer, 0]] = True
        orders = [
            np.concatenate((level.nonzero()[0], (part & ~level).nonzero()[0]))
            for level, part in zip(features, parts, strict=True)
        ]
        renumbered = [np.empty(size, dtype=np.int32) for size in self._sizes]
        for numbers, order in zip(renumbered, orders, strict=True):
            numbers[order] = np.arange(len(order), dtype=np.int32)
        words = self._names()[0]
        self.vocabulary_ = " ".join([words[i] for i in orders[0].tolist()])
        self.runs_ = tuple(
            np.stack((numbers.take(some[order, 0]), renumbered[0].take(some[order, 1])), axis=1)
            for numbers, some, order in zip(renumbered, self.runs_, orders[1:], strict=False)
        )
        self.kept_ = tuple(int(level.sum()) for level in levels)
        letters, start = [], self.n_runs
        for length, joined in enumerate(self.letters_, start=1):
            rows = _rows(joined, length)
            letters.append(rows[kept[start : start + len(rows)]].tobytes().decode("utf-32-le", "surrogatepass"))
            start += len(rows)
        self.letters_ = tuple(letters)
        runs, block = X[:, : self.n_runs], X[:, self.n_runs :]
        if self.char_ngrams is not None:
            # Take back what `_scale_letters` did: such a sum is the weight, squared, over the scale.
            scales = block @ self.idf_[self.n_runs :] / np.float32(self.char_weight) / np.float32(self.char_weight)
            block = diags_array(scales) @ block
        runs, block = runs[:, kept[: self.n_runs]], block[:, kept[self.n_runs :]]
        self.idf_ = self.idf_[kept]
        self._prepare()
        return self._join([_scale_runs(_parts(runs))], [self._scale_letters(_parts(block))], others)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: ``words__`` and the words with spaces between, then ``chars__`` and the letters."""
        written = [names[:kept] for names, kept in zip(self._names(), self.kept_, strict=True)]
        names = [f"words__{name}" for name in chain.from_iterable(written)]
        for length, joined in enumerate(self.letters_, start=1):
            names += [f"chars__{joined[i : i + length]}" for i in range(0, len(joined), length)]
        return np.array(names, dtype=object)

    def _names(self) -> list[list[str]]:
        """Write out all words, all runs of 2, 3, … words that are known."""
        words = self.vocabulary_.split(" ") if self.vocabulary_ else []
        written = [words]
        for some in self.runs_:
            written.append([f"{written[-1][first]} {words[last]}" for first, last in some.tolist()])
        return written

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key not in _DERIVED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "vocabulary_" in state:
            self._prepare()

    def _prepare(self) -> None:
        """Compute what follows from the rest, and need not be saved."""
        text = f" {self.vocabulary_} " if self.vocabulary_ else " "
        words = Words.between(encode(text), np.array([0, text.count(" ") - 1]))
        hashes = [words.hashes]
        for some in self.runs_:
            hashes.append(join(hashes[-1].take(some[:, 0]), hashes[0].take(some[:, 1])))
        self._sizes = tuple(map(len, hashes))
        kept = [some[:size] for some, size in zip(hashes, self.kept_, strict=True)]
        # Words that are no features come last: their letters are looked up by number.
        self.hashes = np.concatenate([*kept, hashes[0][self.kept_[0] :]])
        self._runs = None
        self.n_runs = sum(self.kept_)
        letters = [hash_letters(_rows(some, n)) for n, some in enumerate(self.letters_, start=1)]
        self._letters = HashTable(np.concatenate([hashes[0][:0], *letters]))
        self._n_letters = sum(map(len, letters))
        self._spelled = np.zeros(len(self.hashes) + 1, dtype=np.int64), _NO_PLACES
        if self.char_ngrams is not None:
            owners, found = self.spell(words, np.arange(len(words)))
            owners[owners >= self.kept_[0]] += self.n_runs - self.kept_[0]
            self._spelled = _by_owner(len(self.hashes), owners, found)

    def _count_runs(self, words: Words, places: Ints) -> Sparse:
        return tally(*self.pick_features(words, places))

    def _count_letters(self, words: Words, places: Ints) -> Sparse:
        if self.char_ngrams is None:
            return tally(_NO_PLACES, np.zeros(len(words.bounds), dtype=np.int64))
        numbers = places[:, 0]
        known, unknown = (numbers >= 0).nonzero()[0], (numbers < 0).nonzero()[0]
        sizes, found = gather(*self._spelled, numbers.take(known))
        which, more = self.spell(words, unknown)
        at = np.concatenate((known.repeat(sizes), unknown.take(which)))
        order = np.argsort(at, kind="stable")
        columns = np.concatenate((found, more), dtype=np.int32, casting="same_kind")
        return tally(columns.take(order), at.take(order).searchsorted(words.bounds))

    def _weigh_runs(self, counts: Sparse) -> Sparse:
        values = self.damp(counts.values) * self.idf_.take(counts.columns)
        return _scale_runs(counts._replace(values=values))

    def _weigh_letters(self, counts: Sparse) -> Sparse:
        values = counts.values * self.idf_[self.n_runs :].take(counts.columns)
        return self._scale_letters(counts._replace(values=values))

    def _scale_letters(self, letters: Sparse) -> Sparse:
        """Give each text the weight as its length, were no run of letters there twice."""
        masses = letters.values * self.idf_[self.n_runs :].take(letters.columns)
        return _scale(letters, masses, lambda sums: self.char_weight / np.sqrt(sums))

    def _join(self, runs: Sequence[Sparse], letters: Sequence[Sparse], others: Sequence[csr_matrix] = ()) -> csr_matrix:
        blocks = [(runs, self.n_runs), (letters, self._n_letters), *(([_parts(X)], X.shape[1]) for X in others)]
        return _beside([parts for parts, _ in blocks], [width for _, width in blocks])


def tally(columns: Ints, bounds: Ints) -> Sparse:
    """Count how often each column occurs in each text.

    Parameters
    ----------
    columns : ndarray of int, shape (n,)
        Of all texts, one after the other; sorted in place.
    bounds : ndarray of int, shape (n_texts + 1,)
        Where those of each text begin.

    >>> counts = tally(np.array([7, 2, 7, 3]), np.array([0, 3, 3, 4]))
    >>> counts.values.tolist(), counts.columns.tolist(), counts.bounds.tolist()
    ([1.0, 2.0, 1.0], [2, 7, 3], [0, 2, 2, 3])
    """
    for begin, end in pairwise(bounds.tolist()):
        columns[begin:end].sort()  # text by text: many times faster than all at once
    first = np.empty(len(columns) + 1, dtype=np.bool_)
    np.not_equal(columns[1:], columns[:-1], out=first[1:-1])
    first[bounds] = True
    starts = first.nonzero()[0]
    counts = (starts[1:] - starts[:-1]).astype(np.float32)
    return Sparse(counts, columns.take(starts[:-1]), starts.searchsorted(bounds))


def _scale_runs(features: Sparse) -> Sparse:
    """Give each text the length 1."""
    return _scale(features, features.values * features.values, lambda sums: 1 / np.sqrt(sums))


def _scale(features: Sparse, mass: NDArray[np.float32], scale: Any) -> Sparse:
    """Multiply the values of each text by what ``scale`` makes of the sum of their masses."""
    values, _, bounds = features
    sizes = bounds[1:] - bounds[:-1]
    filled = sizes.nonzero()[0]
    if not filled.size:
        return features
    scales = scale(np.add.reduceat(mass, bounds.take(filled), dtype=np.float64)).astype(np.float32)
    return features._replace(values=values * scales.repeat(sizes.take(filled)))


def _parts(X: csr_matrix) -> Sparse:
    return Sparse(X.data, X.indices, X.indptr)


def _split(texts: Iterable[str]) -> Iterator[Words]:
    for some in batched(texts, _CHUNK):
        yield Words.of(some)


def _learn_runs(numbers: Ints, counts: Ints, longest: int, least: int) -> Iterator[NDArray[np.int32]]:
    """Know the runs of 2, 3, … known words that occur in `least` texts or more; see `NgramTfidf.runs_`."""
    base = int(numbers.max(initial=-1)) + 1
    texts = np.repeat(np.arange(len(counts)), counts)
    bits = len(counts).bit_length()
    shorter = numbers  # of the run that starts at each word; -1 where that is not known
    for length in range(2, longest + 1):
        last = numbers[length - 1 :]
        same_text = texts[length - 1 :] == texts[: len(last)]
        starts = (same_text & (last >= 0) & (shorter[: len(last)] >= 0)).nonzero()[0]
        keys = shorter.take(starts) * base + last.take(starts)
        # Most runs occur once. One that shares its remainder with fewer others than that needs no sorting.
        remainders = keys % _REMAINDERS
        some = (np.bincount(remainders).take(remainders) >= least).nonzero()[0]
        in_texts = distinct(keys.take(some) << bits | texts.take(starts.take(some))) >> bits
        firsts = np.flatnonzero(np.diff(in_texts, prepend=-1))
        known = in_texts.take(firsts)[np.diff(firsts, append=len(in_texts)) >= least]
        if length < longest:
            shorter = np.full(len(numbers), -1)
            shorter[starts] = HashTable(known.view(np.uint64)).find(keys.view(np.uint64))
        yield np.column_stack(np.divmod(known, max(1, base))).astype(np.int32)


def _learn_letters(
    lexicon: Words, numbers: Ints, bounds: Ints, shortest: int, longest: int, least: int
) -> tuple[tuple[str, ...], Ints, list[Sparse]]:
    """Know the runs of letters that occur in `least` texts or more, see `NgramTfidf.letters_`.

    `numbers` are the words of all texts, by their places in the lexicon, and `bounds` where those of each text begin.
    Beside the runs it gives in how many texts each occurs, and how often in each text.
    """
    owners, hashes, starts, sizes = lexicon.cut(np.arange(len(lexicon)), shortest, longest)
    last, found = find_distinct(hashes)
    starts, sizes = starts.take(last), sizes.take(last)
    ranks = np.zeros(len(last), dtype=np.int64)
    written: list[NDArray[np.uint32]] = []
    for length in range(1, longest + 1):
        some = (sizes == length).nonzero()[0]
        letters = lexicon.codes.take(starts.take(some)[:, None] + np.arange(length))
        order = np.lexsort(letters.T[::-1])
        ranks[some.take(order)] = np.arange(len(some)) + sum(map(len, written))
        written.append(letters[order])
    spelled = _by_owner(len(lexicon), owners, ranks.take(found))
    # All are counted, those too that turn out to be rare: they are few, and so each text is sorted only once.
    parts, in_texts = [], np.zeros(len(ranks), dtype=np.int64)
    for first in range(0, len(bounds) - 1, _CHUNK):
        some = bounds[first : first + _CHUNK + 1]
        times, columns = gather(*spelled, numbers[some[0] : some[-1]])
        parts.append(tally(columns, np.append(0, times.cumsum()).take(some - some[0])))
        in_texts += np.bincount(parts[-1].columns, minlength=len(ranks))
    kept = in_texts >= least
    renumbered = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    for i, (values, columns, within) in enumerate(parts):
        at = kept.take(columns).nonzero()[0]
        parts[i] = Sparse(values.take(at), renumbered.take(columns.take(at)), at.searchsorted(within))
    each = np.split(kept, np.cumsum([len(letters) for letters in written])[:-1])
    names = tuple(
        letters[some].tobytes().decode("utf-32-le", "surrogatepass")
        for letters, some in zip(written, each, strict=True)
    )
    return names, in_texts[kept], parts


def _rows(joined: str, length: int) -> NDArray[np.uint32]:
    return encode(joined).reshape(-1, length)


def _by_owner(n_owners: int, owners: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Order values by owner: where those of each owner begin, shape (n_owners + 1,), and all values."""
    order = np.argsort(owners, kind="stable")
    # In 32 bits, which are copied and sorted twice as fast.
    return np.searchsorted(owners.take(order), np.arange(n_owners + 1)), values.take(order).astype(np.int32)


def gather(starts: Ints, values: Ints, owners: Ints) -> tuple[Ints, Ints]:
    """Copy the values of some owners, out of `_by_owner`: how many each has, and which."""
    begin = starts.take(owners)
    sizes = starts.take(owners + 1) - begin
    return sizes, values.take(ranges(begin, sizes))


def _beside(blocks: Sequence[Sequence[Sparse]], widths: Sequence[int]) -> csr_matrix:
    """Put blocks of features side by side, as one matrix; the parts of each hold its rows, one below the other."""
    sizes = np.array([np.concatenate([_NO_PLACES, *(np.diff(part.bounds) for part in parts)]) for parts in blocks])
    bounds = np.append(0, sizes.sum(axis=0).cumsum())
    starts = bounds[:-1] + sizes.cumsum(axis=0) - sizes
    # Row by row to their places: they are many, and putting together more than once would take more time.
    values, columns = np.empty(bounds[-1], dtype=np.float32), np.empty(bounds[-1], dtype=np.int32)
    for parts, first, begins in zip(blocks, np.cumsum([0, *widths]).astype(np.int32), starts.tolist(), strict=False):
        places = iter(begins)
        for part in parts:
            own = part.columns + first
            # In this order: the other way round, each part would use up a place too many.
            for (begin, end), start in zip(pairwise(part.bounds.tolist()), places, strict=False):
                stop = start + end - begin
                values[start:stop], columns[start:stop] = part.values[begin:end], own[begin:end]
    return csr_matrix((values, columns, bounds), shape=(len(bounds) - 1, sum(widths)))
