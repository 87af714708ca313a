"""Words of violence without violence get no theme; a change that changes the subject changes the themes."""

import pytest

from pipeline import classify, load_model
from pipeline.classifier import ThemeClassifier
from pipeline.train import Trained

METAPHORS = {
    "football": "قصف هجوم الفريق مرمى ضيفه بثلاثة أهداف، وقال المدرب إن معركة اللقب لم تحسم وإن لاعبيه قاتلوا على كل كرة حتى"
    " صافرة الحكم، بينما انفجرت المدرجات فرحا بعد الهدف الثالث في الشوط الثاني من المباراة",
    "prices": "اندلعت حرب أسعار بين متاجر التجزئة قبل الموسم، وهاجمت الشركات حصص منافسيها في السوق بتخفيضات وصلت إلى النصف،"
    " وتوقع خبراء الاقتصاد أن تستفيد الأسر من المعركة وأن ترتفع المبيعات في الربع الأخير من العام",
    "medicine": "يخترق الفيروس الخلايا ويهاجم الرئة قبل أن يتصدى له جهاز المناعة، وقال باحثون في الجامعة إن اللقاح الجديد يدرب"
    " الجسم على محاربة المرض، وإن التجارب السريرية على المرضى ستبدأ في الربيع بعد موافقة وزارة الصحة",
    "food": "بحث وزراء الزراعة تعزيز الأمن الغذائي والأمن المائي في المنطقة، واتفقوا على زيادة مخزون القمح وتمويل مشاريع الري"
    " الحديث، وأكد الوزير أن أسعار الخبز لن ترتفع هذا العام رغم موجة الجفاف",
    "film": "يعرض المهرجان فيلما عن جاسوس يقع في حب ممثلة، وقال المخرج إن التصوير استغرق عاما كاملا وإن البطل تدرب على مشاهد"
    " المطاردة بنفسه، وينافس العمل على جائزة أفضل سيناريو في حفل الختام",
}

# What is added to an article, and the theme that comes with it.
TURNS = {
    "espionage": "واعترف المتهم بأنه سلم ضابطا في جهاز استخبارات أجنبي وثائق سرية مقابل المال، ووجهت إليه تهمة التجسس والتخابر",
    "cybersecurity": "وقال خبراء الأمن السيبراني إن القراصنة اخترقوا خوادم الشركة ببرنامج فدية وسرقوا بيانات العملاء",
    "irregular_migration": "وأنقذ خفر السواحل المهاجرين غير النظاميين بعد غرق القارب الذي كان يقلهم إلى السواحل الإيطالية",
    "terrorism": "وتبنى تنظيم داعش الإرهابي الهجوم الانتحاري، وقالت السلطات إن الخلية الإرهابية خططت لتفجيرات أخرى",
}


@pytest.fixture(scope="module")
def model(trained: Trained) -> ThemeClassifier:
    return load_model(trained.path)


@pytest.mark.parametrize("subject", METAPHORS)
def test_a_metaphor_is_no_theme(model: ThemeClassifier, subject: str) -> None:
    assert classify(model, [METAPHORS[subject]])[0].themes == ()


@pytest.mark.parametrize("theme", TURNS)
@pytest.mark.parametrize("subject", ["prices", "food"])
def test_a_turn_of_subject_brings_its_theme(model: ThemeClassifier, subject: str, theme: str) -> None:
    before, after = classify(model, [METAPHORS[subject], f"{TURNS[theme]}.\n{TURNS[theme]}. {METAPHORS[subject]}"])
    assert theme in after.themes
    assert after.scores[theme] > before.scores[theme] + 0.3
