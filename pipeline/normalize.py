r"""Spelling, cleaned: one form for each Arabic word, however it was typed.

Arabic is written with optional vowel signs, several forms of alef and hamza, decorative strokes, two sets of digits and
invisible marks of direction. To a counter of words each variant is another word. `ArabicNormalizer` folds them; every
rule has a name, a switch, and an example here.

=================  ==========================================================================================
rule               what it does
=================  ==========================================================================================
``html``           HTML entities become characters, tags a space
``scripts``        advertising script inside the text becomes a space
``urls``           web and mail addresses become a space
``hashtags``       ``#`` and the underscores that tie a hashtag together become spaces
``unicode_forms``  presentation forms and ligatures become letters, decomposed hamzas join their letter
``invisible``      marks of direction, joiners, soft hyphens, variation selectors are dropped
``vowel_signs``    vowel signs, shadda, dagger alef, Quranic marks and hamzas without a letter are dropped
``tatweel``        the stroke that stretches a word is dropped
``alef``           أ إ آ ٱ become ا
``hamza``          ؤ becomes و, ئ becomes ي; ء stays
``alef_maksura``   ى becomes ي, so that both spellings of في and على meet; it never becomes ا
``teh_marbuta``    ة becomes ه
``persian``        Persian and Urdu kaf, yeh and heh become the Arabic letters
``digits``         Arabic-Indic and Persian digits become 0-9
``case``           letters of scripts that have two cases become small
``elongation``     letters repeated three times or more: a slip of the key becomes two, a shout one, ا always one
``punctuation``    everything that is neither letter, mark nor digit becomes a space
=================  ==========================================================================================

>>> normalize = ArabicNormalizer().normalize
>>> normalize("الرَّئيسُ&nbsp;يَستَقبِل <b>الوفد</b>")            # vowel_signs, html
'الرييس يستقبل الوفد'
>>> normalize("قال googletag.cmd.push(function() { googletag.display('div-1'); }); المصدر")   # scripts
'قال المصدر'
>>> normalize("المزيد على https://example.org/a?b=1 أو news@example.org")   # urls
'المزيد علي او'
>>> normalize("#الأمن_الوطني يوقف")                       # hashtags
'الامن الوطني يوقف'
>>> normalize("ﷲ ﻣﺪﻳﻨﺔ ﻻ"), normalize("أمن") == normalize("أمن")   # unicode_forms
('الله مدينه لا', True)
>>> normalize("\u202bالأ\u200dمن\u202c")                   # invisible
'الامن'
>>> normalize("الأمـــن")                                  # tatweel
'الامن'
>>> normalize("أمن إرهاب آسفي ٱلأمن")                      # alef
'امن ارهاب اسفي الامن'
>>> normalize("مسؤول رئيس جزء")                            # hamza
'مسوول رييس جزء'
>>> normalize("على"), normalize("علا"), normalize("إلى"), normalize("إلا")   # alef_maksura
('علي', 'علا', 'الي', 'الا')
>>> normalize("فى") == normalize("في")
True
>>> normalize("شرطة") == normalize("شرطه")                # teh_marbuta
True
>>> normalize("الکویت ایران")                              # persian
'الكويت ايران'
>>> normalize("٢٠٢٥ و۲۰۲۶")                                # digits
'2025 و2026'
>>> normalize("WhatsApp تطبيق")                            # case
'whatsapp تطبيق'
>>> normalize("الصحفييين رااائع جمييييل ههههه")            # elongation
'الصحفيين رايع جميل ه'
>>> normalize("«الأمن»: أوقفت الشرطة، أمس، 3 أشخاص…")      # punctuation
'الامن اوقفت الشرطه امس 3 اشخاص'

How it is fast: all rules on single characters together are one NumPy look-up table over code points, built from
PyArabic's constants; a batch is joined, looked up once and cut apart. The table marks the characters that a rule on
sequences may begin with; these rules are regular expressions, run only on the texts with such a mark.
"""

import html
import re
import unicodedata
import warnings
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from operator import attrgetter
from string import ascii_lowercase
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from .words import SPACE, Words, chunked, distinct, encode, hash_words, ranges

with warnings.catch_warnings():
    # PyArabic 0.6.15 writes "\w" in a plain string, of which Python 3.12 and later warn where no byte code is kept.
    warnings.filterwarnings("ignore", "invalid escape sequence")
    from pyarabic import araby_const as araby

# --- rules on sequences of characters ---------------------------------------------------------------------------

# Of tags, outside quotation marks, and of addresses only ASCII is taken, so no Arabic word can be lost with them:
# what stands in <<angle quotes>>, or follows an address without a space, is text.
# A comment, a script or a style runs from its last opening before the end, so that no opening is read over twice.
_TAG = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b(?:(?!<\1\b).)*?</\1\s*>|</?[a-zA-Z](?:[\t-!#-&(-;=?-~]|\"[^\"<>]{0,300}\"|'[^'<>]{0,300}'){0,300}>",
    re.DOTALL | re.IGNORECASE,
)
# A call such as a.b.push(function(){…}); or (function(){…})(); or document.write(…); up to the last closing sign before
# the next Arabic letter. Only ASCII is ever taken, so no Arabic word can be lost.
_ASCII = re.compile(r"[\x09-\x7e]+")
_SCRIPT = re.compile(
    r"(?:[A-Za-z_$][\w$.]{0,80}\s?\(\s?)?\(?function\s?\w{0,40}\s?\(|[A-Za-z_$][\w$.]{0,80}\.(?:push|write|display)\s?\(",
    re.ASCII,
)
_SCRIPT_TRIGGERS = ("function", ".push", ".write", ".display")
_URL = re.compile(
    r"(?:https?://|www\.)[!#-;=?-~]+|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    re.ASCII,
)
_HASHTAG = re.compile(r"#\w+")
_PRESENTATION = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")
# A letter that madda above, hamza above or hamza below may join, and its marks: 30 at most, as sorting them into
# Unicode's order takes the square of their number.
_COMBINING_HAMZA = re.compile(
    "[\u0627\u0648\u064a\u06c1\u06d2\u06d5][\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]{1,30}"
)

# --- rules on single characters ---------------------------------------------------------------------------------

_INVISIBLE = [
    0x00AD,
    0x061C,
    0x180E,
    0xFEFF,
    *range(0x200C, 0x2010),  # not the zero-width space, which parts words
    0x20E3,
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),  # variation selectors, which follow emoji
]
_QURANIC = [*range(0x0610, 0x061B), *range(0x06D6, 0x06DD), *range(0x06DF, 0x06E9), *range(0x06EA, 0x06EE)]
_ALEF_FORMS = (araby.ALEF_HAMZA_ABOVE, araby.ALEF_HAMZA_BELOW, araby.ALEF_MADDA, araby.ALEF_WASLA)
_VOWEL_SIGNS = (*araby.TASHKEEL, *araby.SMALL)
_PERSIAN = {
    "ک": araby.KAF,
    "ڪ": araby.KAF,
    "ی": araby.YEH,
    "ے": araby.YEH,
    "ہ": araby.HEH,
    "ھ": araby.HEH,
    "ە": araby.HEH,
}

# Outside Unicode: what the table gives for a character that is to vanish, one that lies beyond the table, which covers
# the Basic Multilingual Plane, one that a rule on sequences may begin with, and one for the last two patterns above.
_DROP, _BEYOND, _BEGIN, _COMPOSE = range(0x110000, 0x110004)
_BMP = 0x10000
_COMPOSABLE = [*range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD), *range(0x0653, 0x0656)]
# Every address and script has a small Latin letter or an @ in it; few Arabic articles have one.
_BEGINNINGS = {"html": "&<", "scripts": ascii_lowercase, "urls": ascii_lowercase + "@", "hashtags": "#"}
_RULES = (
    *("html", "scripts", "urls", "hashtags", "unicode_forms", "invisible", "vowel_signs", "tatweel", "alef", "hamza"),
    *("alef_maksura", "teh_marbuta", "persian", "digits", "case", "elongation", "punctuation"),
)
_switches = attrgetter(*_RULES)
_CHUNK = 10_000  # characters at a time, so that they stay in the processor's cache

# For each rule on single characters: code point to code point. `punctuation`, the first, goes by Unicode category.
_TABLE_RULES: dict[str, dict[int, int]] = {
    "punctuation": {},
    "invisible": dict.fromkeys(_INVISIBLE, _DROP),
    # From 0x0653 to 0x0655 those that found no letter to join.
    "vowel_signs": dict.fromkeys([*map(ord, _VOWEL_SIGNS), *range(0x0653, 0x0660), *_QURANIC], _DROP),
    "tatweel": {ord(araby.TATWEEL): _DROP},
    "alef": {ord(form): ord(araby.ALEF) for form in _ALEF_FORMS},
    "hamza": {ord(araby.WAW_HAMZA): ord(araby.WAW), ord(araby.YEH_HAMZA): ord(araby.YEH)},
    "alef_maksura": {ord(araby.ALEF_MAKSURA): ord(araby.YEH)},
    "teh_marbuta": {ord(araby.TEH_MARBUTA): ord(araby.HEH)},
    "persian": {ord(form): ord(letter) for form, letter in _PERSIAN.items()},
    "digits": {zero + value: ord("0") + value for zero in (ord(araby.ZERO), 0x06F0) for value in range(10)},
    # One letter for one: of İ, the only one that becomes two, the dot is left out.
    # A circled letter is punctuation.
    "case": {
        code: ord(small[0])
        for code in range(_BMP)
        if (small := chr(code).lower()) != chr(code) and unicodedata.category(chr(code))[0] in "LMN"
    },
}


class ArabicNormalizer(TransformerMixin, BaseEstimator):
    """Fold the spellings of Arabic words into one. A stateless scikit-learn transformer from texts to texts.

    Parameters
    ----------
    html, scripts, urls, hashtags, unicode_forms, invisible, vowel_signs, tatweel, alef, hamza, alef_maksura, \
    teh_marbuta, persian, digits, case, elongation, punctuation : bool, default=True
        One switch a rule, see the module's table.

    Notes
    -----
    With the default rules the result is words separated by single spaces. Letters of other scripts stay. It is
    idempotent. What it does not do: stem, split off prefixes, correct spelling, mend mojibake.
    """

    def __init__(
        self,
        *,
        html: bool = True,
        scripts: bool = True,
        urls: bool = True,
        hashtags: bool = True,
        unicode_forms: bool = True,
        invisible: bool = True,
        vowel_signs: bool = True,
        tatweel: bool = True,
        alef: bool = True,
        hamza: bool = True,
        alef_maksura: bool = True,
        teh_marbuta: bool = True,
        persian: bool = True,
        digits: bool = True,
        case: bool = True,
        elongation: bool = True,
        punctuation: bool = True,
    ) -> None:
        self.html = html
        self.scripts = scripts
        self.urls = urls
        self.hashtags = hashtags
        self.unicode_forms = unicode_forms
        self.invisible = invisible
        self.vowel_signs = vowel_signs
        self.tatweel = tatweel
        self.alef = alef
        self.hamza = hamza
        self.alef_maksura = alef_maksura
        self.teh_marbuta = teh_marbuta
        self.persian = persian
        self.digits = digits
        self.case = case
        self.elongation = elongation
        self.punctuation = punctuation

    def fit(self, texts: Iterable[str], y: Any = None) -> Self:
        """Learn nothing; there for scikit-learn's sake."""
        return self

    def transform(self, texts: Iterable[str]) -> list[str]:
        """Normalize a batch of texts.

        Parameters
        ----------
        texts : iterable of str
            Any Unicode: NUL and lone surrogates count as punctuation.

        Returns
        -------
        list of str, as long as `texts`

        Raises
        ------
        TypeError
            If given one string instead of several, or something that is no string.
        """
        texts = check_texts(texts)
        normalized = []
        for chunk in chunked(texts, _CHUNK):
            codes, bounds = self._fold(chunk)
            joined = codes.tobytes().decode("utf-32-le", "surrogatepass")
            normalized += [joined[start : end - 1] for start, end in pairwise(bounds.tolist())]
        return [" ".join(text.split()) for text in normalized] if self.punctuation else normalized

    def words(self, texts: list[str]) -> Words:
        """Normalize a batch of texts and split it into words: ``Words.of(transform(texts))``, without the strings."""
        if not self.punctuation:
            return Words.of(self.transform(texts))
        codes, bounds = self._fold(texts)
        edges = _find_edges(codes)
        bounds = edges[:, 1].searchsorted(bounds)  # words that end before each text
        return Words(codes, edges, bounds, hash_words(codes, edges))

    def find_words(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Give the code points and edges of ``words([text])``, in fewer steps."""
        if not self.punctuation:
            words = self.words([text])
            return words.codes, words.edges
        codes = _table(True, *_switches(self)).take(_encode([text]), mode="clip")
        highest = codes[codes.argmax()]
        if highest > _DROP:
            codes = self._look_up([text])[0]
        elif highest == _DROP:
            codes = codes[codes != _DROP]
        if self.elongation and (surplus := _elongations(codes)).size:
            codes = np.delete(codes, surplus)
        return codes, _find_edges(codes)

    def normalize(self, text: str) -> str:
        """Normalize one text."""
        return self.transform([text])[0]

    def _replace_sequences(self, text: str) -> str:
        if self.html and "&" in text:
            text = html.unescape(text)
        if self.html and "<" in text:
            text = _TAG.sub(" ", text)
        if self.scripts and "(" in text and any(trigger in text for trigger in _SCRIPT_TRIGGERS):
            text = _ASCII.sub(_drop_script, text)
        if self.urls and (("/" in text and "://" in text) or "www." in text or "@" in text):
            text = _URL.sub(" ", text)
        if self.hashtags and "#" in text:
            text = _HASHTAG.sub(lambda match: match[0].replace("#", " ").replace("_", " "), text)
        return text

    def _map_beyond(self, code: int) -> int:
        """Map a code point beyond the table: emoji part words, the letters of rare scripts stay."""
        if self.punctuation and unicodedata.category(chr(code))[0] not in "LMN":
            return SPACE
        if self.unicode_forms and 0x1EE00 <= code < 0x1EF00:  # Arabic letters as mathematical symbols
            return ord(unicodedata.normalize("NFKC", chr(code))[0])
        return ord(chr(code).lower()) if self.case else code

    def _fold(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Give the normalized code points: a space, then each text with a space after it; and where the texts begin."""
        codes, bounds = self._look_up(texts)
        if self.elongation and (surplus := _elongations(codes)).size:
            kept = np.ones(len(codes), dtype=np.bool_)
            kept[surplus] = False
            codes, bounds = _keep(codes, bounds, kept)
        return codes, bounds

    def _look_up(self, texts: list[str], sequences: bool = True) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Apply the rules on sequences, if so asked, and those on single characters; see `_fold`."""
        raw = _encode(texts)
        codes = _table(sequences, *_switches(self)).take(raw, mode="clip")
        bounds = np.array([*accumulate([len(text) + 1 for text in texts], initial=1)])
        highest = np.maximum.reduce(codes)
        if highest < _DROP:
            return codes, bounds
        changed = self._resolve(texts, raw, codes, bounds) if highest > _DROP else {}
        codes, bounds = _keep(codes, bounds, codes != _DROP)
        return self._splice(codes, bounds, changed) if changed else (codes, bounds)

    def _resolve(
        self, texts: list[str], raw: NDArray[np.uint32], codes: NDArray[np.uint32], bounds: NDArray[np.intp]
    ) -> dict[int, str]:
        """Put characters in the place of all marks but `_DROP`; give the texts that rules on sequences change."""
        marked = (codes > _DROP).nonzero()[0]
        marks = codes.take(marked)
        beyond, begin = marked[marks == _BEYOND], marked[marks >= _BEGIN]
        codes[beyond] = [self._map_beyond(code) for code in raw[beyond].tolist()]
        codes[begin] = _table(False, *_switches(self)).take(raw[begin])
        changed = {}
        composable = {*np.searchsorted(bounds, marked[marks == _COMPOSE], side="right").tolist()}
        for i in distinct(np.searchsorted(bounds, begin, side="right")).tolist():
            text = self._replace_sequences(texts[i - 1])
            if self.unicode_forms and (i in composable or text is not texts[i - 1]):
                text = _compose(text)
            if text is not texts[i - 1]:
                changed[i - 1] = text
        return changed

    def _splice(
        self, codes: NDArray[np.uint32], bounds: NDArray[np.intp], changed: dict[int, str]
    ) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Put other texts, given by their numbers, in the place of some."""
        new, starts = self._look_up(list(changed.values()), sequences=False)
        parts, done = [], 0
        for i, (start, end) in zip(changed, pairwise(starts.tolist()), strict=True):
            parts += [codes[done : bounds[i]], new[start:end]]
            done = bounds[i + 1]
        sizes = np.diff(bounds)
        sizes[list(changed)] = np.diff(starts)
        return np.concatenate([*parts, codes[done:]]), np.cumsum([1, *sizes.tolist()])


def check_texts(texts: Iterable[str]) -> list[str]:
    """Make a list of texts, or say what is wrong with them.

    Raises
    ------
    TypeError
        If given one string instead of several, or something that is no string.
    """
    if isinstance(texts, str):
        raise TypeError("expected a list of texts, got one string: write [text]")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {position} is of type {type(text).__name__}, not str")
    return texts


def _encode(texts: list[str]) -> NDArray[np.uint32]:
    return encode(" ".join(["", *texts, ""]) if texts else " ")


def _find_edges(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Find the words between spaces, see `Words.edges`."""
    spaces = codes == SPACE
    edges = (spaces[1:] != spaces[:-1]).nonzero()[0]  # by turns the space before a word, and its last letter
    edges[1::2] += 1
    pairs: NDArray[np.intp] = edges.reshape(-1, 2)
    return pairs


def _keep(
    codes: NDArray[np.uint32], bounds: NDArray[np.intp], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Keep some code points, leave out the others, and move the bounds of texts along."""
    codes = codes[kept]
    if len(bounds) == 2:
        return codes, np.array([1, len(codes)])
    return codes, bounds - (~kept).nonzero()[0].searchsorted(bounds)


@cache
def _separators() -> NDArray[np.intp]:
    """List what parts words: all but letters, marks and numbers, surrogates and control characters too."""
    categories = "".join(map(unicodedata.category, map(chr, range(_BMP))))  # two letters for each code point
    return np.flatnonzero(~np.isin(np.frombuffer(categories.encode(), dtype="S1")[::2], [b"L", b"M", b"N"]))


@lru_cache(maxsize=64)
def _table(sequences: bool, *switches: bool) -> NDArray[np.uint32]:
    """Where each code point of the Basic Multilingual Plane goes under these switches, one a rule.

    With `sequences`, marks stand at the characters with which a rule on sequences may begin.
    """
    is_on = dict(zip(_RULES, switches, strict=True))
    table = np.arange(_BMP + 1, dtype=np.uint32)
    for rule, pairs in _TABLE_RULES.items():
        if is_on[rule] and rule == "punctuation":
            table[_separators()] = SPACE
            # These part no word: their own rules drop them, or they stay.
            for code in (*_INVISIBLE, ord(araby.TATWEEL)):
                table[code] = code
        elif is_on[rule]:
            for code, target in pairs.items():
                table[code] = target
    table[_BMP] = _BEYOND
    for rule, signs in _BEGINNINGS.items() if sequences else ():
        if is_on[rule] and not (rule == "hashtags" and is_on["punctuation"]):  # then its signs part words anyway
            table[[*map(ord, signs)]] = _BEGIN
    if sequences and is_on["unicode_forms"]:
        table[_COMPOSABLE] = _COMPOSE
    table.flags.writeable = False
    return table


def _elongations(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Find what is surplus of letters repeated three times or more."""
    repeated = codes[1:] == codes[:-1]
    thrice: NDArray[np.intp] = (repeated[1:] & repeated[:-1]).nonzero()[0]  # where three equal ones begin
    letters = codes.take(thrice)
    if not thrice.size or letters[letters.argmax()] < 0x0621:  # mostly there are spaces only
        return thrice[:0]
    thrice = thrice[((letters >= 0x0621) & (letters <= 0x064A)) | ((letters >= 0x0671) & (letters <= 0x06D3))]
    if not thrice.size:
        return thrice
    firsts = np.flatnonzero(np.diff(thrice, prepend=-1) != 1)
    starts, times = thrice[firsts], np.diff(firsts, append=len(thrice)) + 2
    stay = np.where((times > 3) | (codes[starts] == ord(araby.ALEF)), 1, 2)
    return ranges(starts + stay, times - stay)


def _drop_script(match: re.Match[str]) -> str:
    found = _SCRIPT.search(match[0])
    if found is None:
        return match[0]
    end = max(match[0].rfind(sign, found.end()) for sign in ";)}")
    return match[0] if end < 0 else f"{match[0][: found.start()]} {match[0][end + 1 :]}"


def _compose(text: str) -> str:
    text = _COMBINING_HAMZA.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)
    # Isolated vowel signs carry a space of their own in Unicode, which would cut the word in two.
    return _PRESENTATION.sub(lambda match: unicodedata.normalize("NFKC", match[0]).removeprefix(" "), text)
