"""From rendered HTML to a mail: the layout around it, styles written into the elements, and the plain-text part.

Styles are inlined in each finished mail, not in the template's source: inlining the source would move `{% for %}` out
of tables and turn `x > 1` into `x &gt; 1`.
"""

from __future__ import annotations

import css_inline

from engage.content.plain_text import plain_text

# At-rules stay in the head: phones read `@media` for narrow screens and dark mode. Nothing is ever fetched.
_INLINER = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
_BARE = '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"></head><body>{}</body></html>'


def finish_mail(html: str) -> tuple[str, str]:
    """The HTML as mail clients want it, and its plain text. Raises ValueError for CSS that cannot be read."""
    whole = html if "<html" in html[:200].lower() else _BARE.format(html)
    try:
        inlined = _INLINER.inline(whole)
    except css_inline.InlineError as error:
        raise ValueError(f"the styles cannot be read: {error}") from error
    return inlined, plain_text(inlined)
