"""The frame of the pages for people who read Arabic: one file without script, picture or font from elsewhere.

Such a page can be mailed, printed and opened without a network, and is legible on a light and on a dark screen.
"""

from html import escape

# Blue and orange of Okabe and Ito, which the color-blind tell apart.
_STYLE = """
:root { color-scheme: light dark; --blue: 0 114 178; --orange: 213 94 0; }
@media (prefers-color-scheme: dark) { :root { --blue: 86 180 233; --orange: 230 159 0; } }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.9;
       font-family: "Noto Naskh Arabic", "Noto Sans Arabic", "Segoe UI", Tahoma, "DejaVu Sans", sans-serif; }
h1, h2, h3 { line-height: 1.5; }
h2 { margin-top: 3rem; border-top: 1px solid rgb(128 128 128 / .5); padding-top: 1rem; }
h2 small, code { font-size: .8em; font-weight: normal; opacity: .8; }
table { border-collapse: collapse; margin: .5rem 0; }
td { padding: 0 .6rem; border-bottom: 1px solid rgb(128 128 128 / .3); }
td[dir] { text-align: right; font-variant-numeric: tabular-nums; }
"""


def lay_out(title: str, body: str, style: str = "") -> str:
    """Lay out a page.

    Parameters
    ----------
    title : str
        Arabic; the heading too.
    body : str
        HTML.
    style : str, default=""
        CSS that only this page needs.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    return f"""<!DOCTYPE html>
<html lang="ar" dir="rtl">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{safe(title)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<h1>{safe(title)}</h1>
{body}
</body>
</html>
"""


def safe(text: str) -> str:
    """Escape a text for HTML; half characters, which UTF-8 does not have, become question marks."""
    return escape(text.encode("utf-8", "replace").decode())
