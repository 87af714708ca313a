"""A page for people who read Arabic: how new articles differ from reference ones, each distribution as a picture."""

import numpy as np
from numpy.typing import NDArray

from .drift import MIN_DIFFERENCE, MIN_DISTANCE, MIN_FACTOR, Drift, Shift, format_p
from .layout import lay_out, safe
from .themes import Taxonomy
from .verdict import LEVEL

_BINS, _WIDTH, _HEIGHT = 20, 220, 56  # of a picture; pixels
_TITLE = "هل تغيّرت المقالات؟"
_QUANTITIES = {
    "rate": "نسبة المقالات",
    "score": "الدرجات",
    "new words": "نسبة الكلمات الجديدة على النموذج",
    "length": "الطول بالكلمات",
    "unsure": "نسبة المقالات التي يتردد فيها النموذج",
}

# The new ones are a line, the reference ones a surface: told apart without color.
_STYLE = """
th { padding: 0 .6rem; text-align: right; font-weight: normal; opacity: .8; }
tr.drifted td:first-child { border-right: .3rem solid rgb(var(--orange)); font-weight: bold; }
td { vertical-align: middle; }
td:first-child { width: 15rem; }
td[dir] { min-width: 3.2rem; }
svg { direction: ltr; display: block; margin: .3rem 0; }
svg text { font-size: 10px; fill: currentColor; opacity: .8; }
.old { fill: rgb(var(--blue) / .45); }
.new { fill: none; stroke: rgb(var(--orange)); stroke-width: 2; }
.axis { stroke: currentColor; opacity: .5; }
svg.key { display: inline-block; vertical-align: middle; margin: 0 .3rem; }
@media print { .old { print-color-adjust: exact; } }
"""

_LEGEND = f"""<p><svg class="key" width="24" height="12"><rect class="old" width="24" height="12"/></svg>
المقالات المرجعية
<svg class="key" width="24" height="12"><path class="new" d="M0 6H24"/></svg>المقالات الجديدة.
الأعداد متوسطات. ارتفاع كل رسم هو جذر نسبة المقالات، كي تظهر القيم النادرة.</p>
<p>«تغيّر» يعني أمرين معًا: أن المصادفة وحدها تكاد لا تفسّر الفرق (p أقل من {LEVEL:g} بعد تصحيح هولم)، وأن الفرق كبير:
{MIN_DIFFERENCE:g} أو الضعف ({MIN_FACTOR}) في النسب، و{MIN_DISTANCE:g} في مسافة كولموغوروف–سميرنوف بين التوزيعات.</p>
<p>إن كان النموذج قد تعلّم من المقالات المرجعية، فدرجاتها أوضح وكلماتها كلها معروفة له:
لا يُعتدّ عندئذ إلا بالنسب والطول.</p>"""


def format_drift_page(drift: Drift, taxonomy: Taxonomy) -> str:
    """Lay out a page.

    Parameters
    ----------
    drift : Drift
        See `pipeline.drift.compare`.
    taxonomy : Taxonomy
        Gives the themes their Arabic names.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    arabic = taxonomy.arabic
    pictures = {
        (quantity, theme): _picture(old, now, 1.0 if quantity != "length" else None)
        for (quantity, theme, old), (*_, now) in zip(
            drift.reference.quantities(taxonomy.names), drift.new.quantities(taxonomy.names), strict=True
        )
        if old.dtype != np.bool_
    }
    counts = f"المرجع: {len(drift.reference)} مقالًا؛ الجديد: {len(drift.new)} مقالًا."
    names = dict.fromkeys(arabic.get(shift.theme, _QUANTITIES[shift.quantity]) for shift in drift.drifted)
    verdict = f"تغيّر: {'؛ '.join(names)}." if names else "لم يتغيّر شيء يُذكر."
    parts = [f"<p>{counts}</p>", f"<p><strong>{safe(verdict)}</strong></p>", _LEGEND]
    for theme in (*taxonomy.names, ""):
        heading = f'{safe(arabic[theme])} <code dir="ltr">{safe(theme)}</code>' if theme else "المقالات نفسها"
        rows = [
            _row(shift, pictures.get((shift.quantity, theme), "")) for shift in drift.shifts if shift.theme == theme
        ]
        head = "".join(f"<th>{name}</th>" for name in ("", "المرجع", "الجديد", "الأثر", "p", ""))
        parts.append(f"<h3>{heading}</h3>\n<table>\n<tr>{head}</tr>\n{''.join(rows)}</table>")
    return lay_out(_TITLE, "\n".join(parts), _STYLE)


def _row(shift: Shift, picture: str) -> str:
    digits = ".0f" if shift.quantity == "length" else ".3f"
    numbers = [f"{shift.reference:{digits}}", f"{shift.new:{digits}}", f"{shift.effect:.3f}", format_p(shift.p)]
    cells = "".join(f'<td dir="ltr">{safe(number)}</td>'.replace("-", "\u2212") for number in numbers)
    kind, mark = (' class="drifted"', " — تغيّر") if shift.drifted else ("", "")
    return f"<tr{kind}><td>{_QUANTITIES[shift.quantity]}{mark}</td>{cells}<td>{picture}</td></tr>\n"


def _picture(old: NDArray[np.floating], now: NDArray[np.floating], end: float | None) -> str:
    """Draw two distributions from 0 to `end`, or to what 99 % do not exceed; what lies beyond is in the last bin."""
    highest = end or max(1.0, float(np.percentile(np.concatenate((old, now)), 99)))
    heights = [_heights(values, highest) for values in (old, now)]
    scale = (_HEIGHT - 4) / max(part.max() for part in heights)
    surface, line = (_steps(_HEIGHT - part * scale) for part in heights)
    label = f"{highest:g}" if end else f"{highest:.0f}+"
    return f"""<svg width="{_WIDTH}" height="{_HEIGHT + 12}" role="img">
<path class="old" d="M0 {_HEIGHT}V{surface}V{_HEIGHT}Z"/><path class="new" d="M0 {line}"/>
<path class="axis" d="M0 {_HEIGHT}H{_WIDTH}"/>
<text x="0" y="{_HEIGHT + 11}">0</text><text x="{_WIDTH}" y="{_HEIGHT + 11}" text-anchor="end">{label}</text></svg>"""


def _heights(values: NDArray[np.floating], highest: float) -> NDArray[np.float64]:
    """Give the root of the share of values in each bin."""
    bins = np.minimum(values / highest * _BINS, _BINS - 1).astype(int)
    heights: NDArray[np.float64] = np.sqrt(np.bincount(bins, minlength=_BINS) / len(values))
    return heights


def _steps(tops: NDArray[np.float64]) -> str:
    """Write the steps of a histogram as an SVG path, from the height of the first on."""
    return "V".join(f"{top:.1f}H{(i + 1) * _WIDTH / _BINS:g}" for i, top in enumerate(tops.tolist()))
