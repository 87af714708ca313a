"""The record that everything else handles: one news article."""

import re
from dataclasses import dataclass

_MIN_ARABIC = 0.3  # of the letters; French names and a stray script leave real articles far above it
_BLOCKS = (*range(0x0620, 0x0700), *range(0xFB50, 0xFEFD))  # Arabic, and its presentation forms
_ARABIC_LETTERS = re.compile(f"[{''.join(sign for sign in map(chr, _BLOCKS) if sign.isalpha())}]+")
# Letters and words that Persian or Urdu has and Arabic has not; letters that stand for Arabic ones on some keyboards
# are left out. A sentence of either has 16 or more to 100 words, real Arabic news 4 at most.
_FOREIGN = re.compile(r"[پچژگٹڈڑںے]|\b(?:از|است|این|با|برای|در|را|شد|که|کی|کو|اور)\b")
_MAX_FOREIGN = 0.1  # a word


@dataclass(frozen=True, slots=True)
class Article:
    """A news article and the themes its labels give it.

    Attributes
    ----------
    id : str
        Unique in its corpus.
    title : str
        Headline; empty where the outlet gave none.
    text : str
        Body, paragraphs separated by newlines.
    themes : tuple of str
        Theme names in the taxonomy's order; empty for an article with no theme, or with no label yet.
    date, outlet_style, country, genre, note : str
        Optional description, empty where unknown. `date` is YYYY-MM-DD, `country` ISO 3166-1 alpha-2.
    source : str
        Where it was read, as ``file:line``; not part of the article's content.
    """

    id: str
    title: str
    text: str
    themes: tuple[str, ...] = ()
    date: str = ""
    outlet_style: str = ""
    country: str = ""
    genre: str = ""
    note: str = ""
    source: str = ""

    @property
    def full_text(self) -> str:
        r"""What the model reads: the title, then the body on the next line.

        >>> Article("1", "تفكيك خلية", "أعلنت السلطات").full_text
        'تفكيك خلية\nأعلنت السلطات'
        >>> Article("2", "", "أعلنت السلطات").full_text
        'أعلنت السلطات'
        """
        return f"{self.title}\n{self.text}" if self.title else self.text

    @property
    def headline(self) -> str:
        """The title, or the start of the text, in 80 characters at most."""
        return " ".join(self.full_text.partition("\n")[0].split())[:80]


def text_problem(text: str) -> str:
    """Say what keeps a text from being judged: it is empty, or not Arabic. Nothing if it is sound.

    >>> text_problem("أعلنت الشرطة")
    ''
    >>> text_problem("  ")
    "'text' is empty; write the article or delete the line"
    >>> text_problem("La police annonce")
    'no Arabic letters; is the text in another language, or damaged (mojibake)?'
    >>> text_problem("پلیس تهران از بازداشت شش نفر خبر داد")
    'letters or words of Persian or Urdu; is the text in another language, or damaged (mojibake)?'
    """
    if not text.strip():
        return "'text' is empty; write the article or delete the line"
    arabic = sum(map(len, _ARABIC_LETTERS.findall(text)))
    if not arabic:
        return "no Arabic letters; is the text in another language, or damaged (mojibake)?"
    # As a rule the first holds not: then the letters need not be counted, which is slow.
    if arabic < _MIN_ARABIC * len(text) and arabic < _MIN_ARABIC * (letters := sum(map(str.isalpha, text))):
        return f"only {arabic / letters:.0%} of the letters are Arabic; is the text in another language?"
    if len(_FOREIGN.findall(text)) > _MAX_FOREIGN * len(text.split()):
        return "letters or words of Persian or Urdu; is the text in another language, or damaged (mojibake)?"
    return ""
