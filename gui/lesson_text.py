"""A lesson's Markdown as rich text. No Qt."""

from __future__ import annotations

import re

from gui.formulas import to_html
from gui.theme import Theme

_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$])\$([^$\n]+?)\$")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def rich_text(markdown: str, theme: Theme) -> str:
    """HTML that Qt's text views show: headings, lists, tables, code, and formulas between dollar signs.

    Raw HTML in the text is shown as it was typed, and pictures are left out: a lesson carries words only.
    """
    from markdown_it import MarkdownIt  # here, since its import takes time that start-up does not have

    formulas: list[str] = []

    def keep(formula: str, *, display: bool) -> str:
        shown = to_html(formula.strip())
        formulas.append(f'<span style="font-size: 15px">{shown}</span>' if display else shown)
        return f"\ue000{len(formulas) - 1}\ue001"

    pieces = _CODE.split(markdown.replace("\ue000", "").replace("\ue001", ""))
    for place in range(0, len(pieces), 2):  # what lies between stretches of code
        piece = _DISPLAY.sub(lambda found: keep(found.group(1), display=True), pieces[place])
        pieces[place] = _INLINE.sub(lambda found: keep(found.group(1), display=False), piece)
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    body = str(parser.render("".join(pieces)))
    # Qt enlarges headings whatever their style says, and draws the ground of each line of code over the line above.
    body = re.sub(r"<h[1-6]>(.*?)</h[1-6]>", r'<p class="heading">\1</p>', body)
    body = re.sub(r"<pre><code[^>]*>(.*?)\n?</code></pre>", r"<pre>\1</pre>", body, flags=re.DOTALL)
    body = re.sub(r"\ue000(\d+)\ue001", lambda found: formulas[int(found.group(1))], body)
    return f"<html><head><style>{_style(theme)}</style></head><body>{body}</body></html>"


def _style(theme: Theme) -> str:
    raised, secondary, accent = (theme.color(role).name() for role in ("raised", "secondary", "accent"))
    return (
        "p, li { line-height: 130%; } p { margin: 0 0 8px 0; } ul, ol { margin: 0 0 8px 0; -qt-list-indent: 1; }"
        f"p.heading {{ font-size: 13px; font-weight: 600; color: {secondary}; margin: 12px 0 4px 0; }}"
        f"code {{ font-family: monospace; background-color: {raised}; }}"
        f"pre {{ font-family: monospace; background-color: {raised}; line-height: 125%; margin: 0 0 8px 0; }}"
        f"a {{ color: {accent}; }} td, th {{ padding: 1px 8px 1px 0; text-align: left; }}"
    )
