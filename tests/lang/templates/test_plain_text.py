"""The derived text part says what the page says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.lang.templates.plain_text import plain_text
from shopflow.lang.templates.tags import Shield, find_tags


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a\n   b", "a b"),
        ("<b>a</b> <i>b</i>", "a b"),
        ("caf&eacute; &amp; th&#233;&nbsp;!", "café & thé\u00a0!"),
        ('<a href="https://x.example/?a=1&amp;b=2">ici</a>.', "ici (https://x.example/?a=1&b=2)."),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="#top">haut</a>', "haut"),
        (
            '<a href="https://x.example"><img src="i.png" alt="Ma boutique"></a>',
            "Ma boutique (https://x.example)",
        ),
        ('<a href="https://x.example"><img src="i.png"></a>', "https://x.example"),
        ('<img src="i.png" alt="décor">', ""),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<head><title>t</title></head><style>p {}</style><script>x</script>a", "a"),
        ('<div style="display:none">caché <p>aussi</p></div>a', "a"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<!-- c -->a<!--[if mso]>b<![endif]-->", "a"),
        ("<h1>Titre</h1>a", "Titre\n\na"),
        ("</p></a></div>a", "a"),
        ("<div/>a<span/>b<hr/>", "ab\n\n---"),
        ('<div style="display:none"><p>a</div>b', "b"),
        ('<p style="display: none">a<br>b</i></p>c', "c"),
    ],
)
def test_text_of_html(html, text):
    assert plain_text(html).strip() == text


@given(st.text(max_size=200))
def test_any_markup_gives_some_text(html):
    assert plain_text(html).endswith("\n")


pieces = st.sampled_from(
    [
        "{{ a }}",
        "{% if b %}",
        "{% endif %}",
        "{# c #}",
        "{{ '}}' }}",
        "{% raw %}{{ x }}{% endraw %}",
        "zqx0z",
        "é",
        "<p>",
        " ",
        "\n",
        "{",
        "}",
        "{{",
        "%}",
    ]
)


@given(st.lists(pieces, max_size=20).map("".join))
def test_shield_gives_back_all_but_comments(text):
    shield = Shield(text)
    covered = shield.cover(text)
    back, places = shield.uncover(covered)
    expected, last = [], 0
    for tag in find_tags(text):
        expected.append(text[last : tag.start])
        expected.append("" if tag.kind == "comment" else tag.text)
        last = tag.end
    assert back == "".join([*expected, text[last:]])
    for at, number in places.items():
        assert back.encode()[at:].decode().startswith(shield.tags[number].text)
