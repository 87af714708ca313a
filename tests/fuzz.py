"""Coverage-guided fuzzing of the normalizer and the readers, and the growth of their regular expressions.

Not part of ``make test``: it needs Linux and ``pip install atheris``, and as long as it is given.

    python -m tests.fuzz normalizer -max_total_time=300
    python -m tests.fuzz readers -max_total_time=300
    python -m tests.fuzz growth                   # seconds on worst cases of length n, 2n, 4n; needs no atheris

Options of libFuzzer follow the name. It ends with a traceback at the first finding, and keeps the input as ``crash-*``.
"""

import gzip
import io
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np

from pipeline import article, corpus, normalize, words
from pipeline.errors import DataError

SUFFIXES = (".jsonl", ".csv", ".txt", ".parquet", ".jsonl.gz", ".csv.gz", ".txt.gz")
_PRESENTATION = (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD), *range(0x1EE00, 0x1EF00))
_NO_LETTERS = "\u0640\u06e5\u06e6"  # tatweel and two Quranic signs, which Unicode calls letters


def count_arabic(text: str) -> int:
    """Count the letters of the Arabic blocks, those that a ligature stands for one by one."""
    plain = "".join(unicodedata.normalize("NFKC", sign) if ord(sign) in _PRESENTATION else sign for sign in text)
    return sum(
        ("\u0620" <= sign <= "\u08ff") and unicodedata.category(sign)[0] == "L" and sign not in _NO_LETTERS
        for sign in plain
    )


def check_normalizer(texts: list[str]) -> None:
    """Raise AssertionError unless all that is promised of the normalizer holds for these texts."""
    normalizer = normalize.ArabicNormalizer()
    once = normalizer.transform(texts)
    assert once == [normalizer.normalize(text) for text in texts], "a batch differs from its texts"
    assert normalizer.transform(once) == once, "not idempotent"
    assert all(text == " ".join(text.split(" ")).strip(" ") and "  " not in text for text in once), "spaces"
    ours, plain = normalizer.words(texts), words.Words.of(once)
    spelled = [some.write(np.arange(len(some))) for some in (ours, plain)]
    assert (spelled[0], ours.counts.tolist()) == (spelled[1], plain.counts.tolist()), "words"
    # HTML may hold Arabic in comments and attributes, and elongation is there to drop letters; no other rule takes any.
    keeping = normalize.ArabicNormalizer(html=False, elongation=False)
    found = [count_arabic(text) for text in keeping.transform(texts)]
    assert found == [count_arabic(text) for text in texts], "an Arabic letter lost or made"


def check_reader(content: bytes, path: Path) -> int:
    """Read these bytes under this name; anything but records and DataError is an error. Give the number of records."""
    path.write_bytes(content)
    number = 0
    try:
        for record in corpus.read_records(path):
            number += 1
            assert record.source.startswith(str(path))
            corpus.to_article(record)
    except DataError as error:
        if not str(error).startswith(str(path)):
            raise
    return number


def fuzz_normalizer(content: bytes) -> None:
    """Cut bytes into texts: by the first byte UTF-16, so that lone surrogates come up, or UTF-8."""
    if content[:1] < b"\x80":
        text = content[1:].decode("utf-8", "replace")
    else:
        text = content[1 : len(content) - (len(content) + 1) % 2].decode("utf-16-le", "surrogatepass")
    check_normalizer(text.split("\x1e"))


def fuzz_reader(content: bytes, folder: Path) -> None:
    """The first byte chooses the ending, and whether what is to be unpacked is packed first."""
    if content:
        suffix, rest = SUFFIXES[content[0] % len(SUFFIXES)], content[1:]
        if suffix.endswith(".gz") and content[0] < 128:
            rest = gzip.compress(rest, compresslevel=1)
        check_reader(rest, folder / f"a{suffix}")


def _seeds(folder: Path, target: str) -> None:
    if target == "normalizer":
        texts = [line for line in (normalize.__doc__ or "").splitlines() if "normalize(" in line]
        texts += [
            "<!-- a --><script>x</script><a b='c' d=\"e\">",
            "#_a_ www.a.b a@b.c https://a",
            "ا\u0654\u200d\u0655",
        ]
        seeds = [b"\x00" + text.encode() for text in texts] + [b"\x80" + text.encode("utf-16-le") for text in texts]
    else:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table({"id": ["1", None], "text": ["نص", "x"], "themes": [["sea"], []]})
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file)
        plain = ['{"id": 1, "text": "نص", "themes": ["a"]}\n[1]\n', 'id,text,themes\n1,"ن""ص",a|b\n', "نص"]
        seeds = [bytes([i]) + text.encode() for i, text in enumerate(plain)] + [b"\x03" + file.getvalue()]
        seeds += [bytes([i + 4]) + text.encode() for i, text in enumerate(plain)]
        seeds += [bytes([186 + i]) + gzip.compress(text.encode()) for i, text in enumerate(plain)]
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)


def fuzz(target: str, options: list[str]) -> None:
    """Hand over to libFuzzer, which ends the process."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        _seeds(folder / "corpus", target)
        run: Callable[[bytes], None] = fuzz_normalizer if target == "normalizer" else lambda b: fuzz_reader(b, folder)
        for module in (normalize, words) if target == "normalizer" else (corpus,):
            for function in _functions(module):
                atheris.instrument_func(function)
        atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], run)
        atheris.Fuzz()


def _functions(module: ModuleType) -> list[FunctionType]:
    owners = [vars(module), *(vars(item) for item in vars(module).values() if isinstance(item, type))]
    found = [item for owner in owners for item in owner.values() if isinstance(item, FunctionType)]
    return [function for function in found if function.__module__ == module.__name__]


_MARKUP = "< <a </a <!-- <!--> <script></script <style><script> & &# &#1 &amp &amp;lt; ' a. a- a@ @ a@a. a.a@ www."
_CODE = "https:// ://www. # #_ _ #a_ function function( a.push( .push( a.a.a ( ((function $. }; a.write(a"
HOSTILE = (
    *(*_MARKUP.split(), *_CODE.split(), '"', "<a ", "<a '", '<a "', "<script ", "function (", "$ ", "a" * 80 + ".push"),
    *(" ", "\u3000\t", "از", "پ", "\u0654", "ا\u0654", "\u0651\u0654", "ا" + "\u0651\u0654" * 2000, "ﷺ", "ا", "ن "),
    *("\ud800", "\x00"),
)


def measure_growth(length: int = 5000) -> None:
    """Print, for each worst case, the seconds for so many characters and their growth as the length doubles twice."""
    normalizer = normalize.ArabicNormalizer()
    jobs: dict[str, Callable[[str], object]] = {
        name: getattr(normalize, name).sub for name in ("_TAG", "_SCRIPT", "_URL", "_HASHTAG", "_PRESENTATION")
    }
    jobs = {name: partial(pattern, " ") for name, pattern in jobs.items()}
    jobs |= {"normalize": normalizer.normalize, "text_problem": article.text_problem}
    jobs["page"] = partial(re.split, r"(\s+)")
    slow = 0
    for name, job in jobs.items():
        for sign in HOSTILE:
            before = "function www. # & < @ ://" if name == "normalize" else ""  # what sets its rules off
            seconds = [_best(job, before + sign * (n // len(sign))) for n in (length, 2 * length, 4 * length)]
            ratios = [later / max(earlier, 1e-9) for earlier, later in pairwise(seconds)]
            if min(ratios) > 3 and seconds[-1] > 0.01:
                slow += 1
                print(f"{name:14} {sign[:20]!r:24} {seconds[0]:.4f} s, then x{ratios[0]:.1f}, x{ratios[1]:.1f}")
    print(f"{len(jobs) * len(HOSTILE)} cases, {slow} grow faster than their length")


def _best(job: Callable[[str], object], text: str) -> float:
    taken = []
    for _ in range(3):
        start = time.process_time()
        job(text)
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    if sys.argv[1] == "growth":
        measure_growth()
    else:
        fuzz(sys.argv[1], sys.argv[2:])
