import re
import unicodedata
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarabic import araby
from pyarabic.trans import normalize_digits

from pipeline.config import NormalizeConfig
from pipeline.normalize import ArabicNormalizer
from pipeline.words import Words

RULES = [field.name for field in fields(NormalizeConfig)]
ARABIC = st.text(st.sampled_from("".join(map(chr, range(0x0621, 0x0653))) + "ٱپڤگ ٠٤٩012ab.،«»\n"), max_size=60)
ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


def pyarabic_chain(text: str) -> str:
    """The plain chain of calls that the look-up table replaces, one pass over the text each."""
    # Not strip_tashkeel, which in PyArabic 0.6.15 leaves the signs of a text that is_vocalized does not call vocalized.
    text = araby.strip_tatweel("".join(sign for sign in text if sign not in araby.TASHKEEL))
    text = araby.normalize_hamza(text, method="tasheel").replace(araby.ALEF_WASLA, araby.ALEF)
    text = araby.normalize_teh(text).replace(araby.ALEF_MAKSURA, araby.YEH)
    text = normalize_digits(text, source="all", out="west")
    return "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text)


def elongation_by_expression(text: str) -> str:
    """The same rule as a regular expression."""
    shorten = lambda match: match[1] * (1 if match[1] == araby.ALEF or len(match[0]) > 3 else 2)  # noqa: E731
    return re.sub(r"([ء-يٱ-ۓ])\1{2,}", shorten, text)


@settings(max_examples=500)
@given(ARABIC)
def test_equals_the_chain_of_pyarabic_calls(text: str) -> None:
    table = ArabicNormalizer(elongation=False).normalize(text)
    assert table.split() == pyarabic_chain(text).split()


@given(st.text(st.sampled_from("ابيء 1"), max_size=40))
def test_elongation_is_a_regular_expression(text: str) -> None:
    off = dict.fromkeys(RULES, False)
    assert ArabicNormalizer(**off | {"elongation": True}).normalize(text) == elongation_by_expression(text)


@given(st.lists(ANYTHING, max_size=8), st.booleans())
def test_words_are_those_of_the_normalized_texts(texts: list[str], punctuation: bool) -> None:
    normalizer = ArabicNormalizer(punctuation=punctuation)
    ours, plain = normalizer.words(texts), Words.of(normalizer.transform(texts))
    assert ours.write(np.arange(len(ours))) == plain.write(np.arange(len(plain)))
    np.testing.assert_array_equal(ours.hashes, plain.hashes)
    np.testing.assert_array_equal(ours.counts, plain.counts)


@given(ANYTHING | st.text(st.sampled_from("اَبـ \u0653<&#"), max_size=20), st.booleans(), st.booleans())
def test_the_words_of_one_text_are_found_as_those_of_several(text: str, punctuation: bool, elongation: bool) -> None:
    normalizer = ArabicNormalizer(punctuation=punctuation, elongation=elongation)
    (codes, edges), words = normalizer.find_words(text), normalizer.words([text])
    np.testing.assert_array_equal(codes, words.codes)
    np.testing.assert_array_equal(edges, words.edges)


@given(ANYTHING)
def test_is_idempotent_and_leaves_words_separated_by_single_spaces(text: str) -> None:
    normalize = ArabicNormalizer().normalize
    once = normalize(text)
    assert normalize(once) == once
    assert once == " ".join(once.split(" ")).strip(" ")
    assert "  " not in once


@given(st.lists(ANYTHING, max_size=8))
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    normalizer = ArabicNormalizer()
    assert normalizer.transform(texts) == [normalizer.normalize(text) for text in texts]


@given(
    st.lists(st.sampled_from(["نص", "", "#خلية_نائمة a", "ﻻ", "&lt;b> http://a.b نص", "أ\u0653ب", "😀"]), max_size=8)
)
def test_texts_that_sequences_change_stand_among_others(texts: list[str]) -> None:
    normalizer = ArabicNormalizer(punctuation=False)
    assert normalizer.transform(texts) == [normalizer.normalize(text) for text in texts]


@given(st.lists(st.integers(0, 2000), max_size=4), st.integers(0, 2))
def test_rare_code_points_are_left_out_wherever_they_stand(places: list[int], texts_before: int) -> None:
    long = "ا" + "لكتاب " * 400
    for place in places:
        long = long[:place] + "ـ" + long[place:]
    texts = ["نص"] * texts_before + [long, "نص"]
    assert ArabicNormalizer().transform(texts) == [" ".join(text.replace("ـ", "").split()) for text in texts]


def test_a_batch_longer_than_a_chunk_is_its_texts_one_by_one() -> None:
    texts = ["أعلنَ  المكتبُ " * n for n in range(120)] + ["", " ", "ﻻ 😀 نص"]
    normalizer = ArabicNormalizer()
    assert normalizer.transform(texts) == [normalizer.normalize(text) for text in texts]


@given(ANYTHING)
def test_with_every_rule_off_the_text_is_untouched(text: str) -> None:
    assert ArabicNormalizer(**dict.fromkeys(RULES, False)).normalize(text) == text


@given(st.text(st.sampled_from(araby.LETTERS), min_size=1, max_size=30))
def test_no_bare_letter_is_ever_lost(word: str) -> None:
    """Folding changes letters, and only elongation, which is switched off here, takes some."""
    assert len(ArabicNormalizer(elongation=False).normalize(word)) == len(word)


@pytest.mark.parametrize(
    ("rule", "text", "on", "off"),
    [
        ("html", "الأمن&nbsp;<br/>العام", "الامن العام", "الامن nbsp br العام"),
        ("scripts", "نص $(function(){ x(1); }); تابع", "نص تابع", "نص function x 1 تابع"),
        ("urls", "نص https://a.example/b تابع", "نص تابع", "نص https a example b تابع"),
        ("unicode_forms", "\ufedf\ufe98", "لت", "\ufedf\ufe98"),
        ("invisible", "ال\u200dأمن", "الامن", "ال\u200dامن"),
        ("vowel_signs", "أَمْن", "امن", "اَمْن"),
        ("tatweel", "أمـن", "امن", "امـن"),
        ("alef", "أمن", "امن", "أمن"),
        ("hamza", "رئيس", "رييس", "رئيس"),
        ("alef_maksura", "على", "علي", "على"),
        ("teh_marbuta", "شرطة", "شرطه", "شرطة"),
        ("persian", "کابل", "كابل", "کابل"),
        ("digits", "٢٠", "20", "٢٠"),
        ("case", "WhatsApp İ ß", "whatsapp i ß", "WhatsApp İ ß"),
        ("elongation", "الصحفييين", "الصحفيين", "الصحفييين"),
        ("punctuation", "«أمن»،", "امن", "«امن»،"),
    ],
)
def test_each_rule_has_its_switch(rule: str, text: str, on: str, off: str) -> None:
    assert ArabicNormalizer().normalize(text) == on
    assert ArabicNormalizer(**{rule: False}).normalize(text) == off


def test_hashtags_are_cut_without_the_punctuation_rule_too() -> None:
    kept = {"punctuation": False}
    assert ArabicNormalizer(**kept).normalize("#الحرس_الوطني").split() == ["الحرس", "الوطني"]
    assert ArabicNormalizer(**kept, hashtags=False).normalize("#الحرس_الوطني") == "#الحرس_الوطني"


@pytest.mark.parametrize(("one", "other"), [("على", "علا"), ("إلى", "إلا"), ("على", "إلى")])
def test_words_that_must_stay_apart(one: str, other: str) -> None:
    normalize = ArabicNormalizer().normalize
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("variant", "plain"),
    [
        ("الأَمْنُ الوَطَنِيّ", "الأمن الوطني"),
        ("الأمــــن", "الأمن"),
        ("فى", "في"),
        ("الامن", "الأمن"),
        ("مسئول".replace("ئ", "\u064a\u0654"), "مسئول"),  # decomposed, as some systems store it
        ("\ufef9رهاب", "لإرهاب"),  # the ligature of lam and alef with hamza
    ],
)
def test_variants_of_a_word_meet(variant: str, plain: str) -> None:
    normalize = ArabicNormalizer().normalize
    assert normalize(variant) == normalize(plain)


def test_script_takes_no_arabic_word() -> None:
    text = "علمت أن (function) الشرطة أوقفت googletag.cmd.push(function() { a(); }); شخصا"
    words = ArabicNormalizer().normalize(text).split()
    assert [word for word in words if not word.isascii()] == ["علمت", "ان", "الشرطه", "اوقفت", "شخصا"]


def test_hostile_input_is_quick() -> None:
    """Ten megabytes, and patterns that make careless regular expressions slow; a hang is the failure looked for."""
    normalizer = ArabicNormalizer()
    assert len(normalizer.normalize("خبر عاجل " * 600_000).split()) == 1_200_000
    for hostile in ("function (", "a.push(", "<a", "<script ", "<!-- ", "www.", "a@", "((", "&#", "#_", "ا"):
        normalizer.normalize(hostile * 50_000)


@pytest.mark.parametrize("text", ["\x00أمن\x00", "أمن\ud800", "\udfff"])
def test_nul_and_lone_surrogates_part_words(text: str) -> None:
    assert ArabicNormalizer().normalize(text) in {"امن", ""}


def test_a_bare_string_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write \[text\]"):
        ArabicNormalizer().transform("نص")


def test_something_else_than_text_is_refused_with_its_position() -> None:
    with pytest.raises(TypeError, match="text 1 is of type NoneType"):
        ArabicNormalizer().transform(["نص", None])  # type: ignore[list-item]


def test_the_config_has_a_switch_for_every_rule() -> None:
    assert list(ArabicNormalizer().get_params()) == sorted(RULES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<<BBC أعلنت الشرطة توقيف خلية>> انتهى", "bbc اعلنت الشرطه توقيف خليه انتهي"),
        ("&lt;AFP أعلنت الشرطة&gt; تم", "afp اعلنت الشرطه تم"),
        ("عدد x<y وأعلنت الشرطة a>b", "عدد x y واعلنت الشرطه a b"),
        ("https://t.co/abc&nbsp;ﺃﻋﻠﻨﺖ&nbsp;ﺍﻟﺸﺮﻃﺔ نص", "اعلنت الشرطه نص"),
        ("⚠\ufe0fعاجل الشرطة", "عاجل الشرطه"),
        ("الشرطة\u200bالوطنية", "الشرطه الوطنيه"),
        ('<a title="قال الوزير" href="x">نص</a>', "نص"),
    ],
)
def test_no_arabic_word_is_lost_or_glued(text: str, words: str) -> None:
    assert ArabicNormalizer().normalize(text).lower() == words
