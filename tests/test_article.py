import pytest

from pipeline.article import text_problem


def test_mostly_latin_text_is_doubted() -> None:
    assert "of the letters are Arabic" in text_problem("Le ministre de l'intérieur a reçu الوزير")


@pytest.mark.parametrize(
    "text", ["12345", "Ø§Ù„Ø£Ù…Ù†", "\x00", "…", "Привет"], ids=["digits", "mojibake", "nul", "punctuation", "cyrillic"]
)
def test_text_without_arabic_letters_is_doubted(text: str) -> None:
    assert "no Arabic letters" in text_problem(text)


def test_presentation_forms_and_a_stray_script_are_arabic_enough() -> None:
    assert text_problem("\ufedf\ufe98\ufee3") == ""
    assert text_problem("googletag.cmd.push(function() {}); " + "أعلنت الشرطة أمس توقيف شخص " * 3) == ""
