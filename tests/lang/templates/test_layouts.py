"""Templates use each other: layouts with blocks, and parts that several share."""

from __future__ import annotations

LAYOUT = """
    <mjml>
      <mj-body>
        {% include "_layout/head.mjml" %}
        <mj-section><mj-column>
          {% block content %}<mj-text>rien</mj-text>{% endblock %}
        </mj-column></mj-section>
        {% block foot %}<mj-raw>pied</mj-raw>{% endblock %}
      </mj-body>
    </mjml>
    """
HEAD = "<mj-section><mj-column><mj-text>{{ shop.legal_name }}</mj-text></mj-column></mj-section>"
MAIL = """
    ---
    subject: Bonjour
    ---
    {# a note #}
    {% extends "_layout/mail.mjml" %}
    {% block content %}
    {% set greeting = "Bonjour" %}
    <mj-text>{{ greeting }} {{ name }}</mj-text>
    {% endblock %}
    """
FILES = {"_layout/mail.mjml": LAYOUT, "_layout/head.mjml": HEAD, "a/b/email.fr.mjml": MAIL}
VALUES = {"name": "Zoé", "shop": {"legal_name": "Ma Boutique"}}


def test_layout_takes_the_blocks_of_the_mail_and_keeps_its_own_for_the_rest(loaded):
    mail = loaded(FILES).render("a/b", "email", "fr", VALUES)
    assert mail["text"] == "Ma Boutique\n\nBonjour Zoé\n\npied\n"
    assert "rien" not in mail["html"]


def test_layout_of_a_layout(loaded):
    middle = (
        '{% extends "_layout/mail.mjml" %}{% block foot %}'
        "<mj-raw>{% block end %}a{% endblock %}</mj-raw>{% endblock %}"
    )
    mail = (
        '{% extends "_layout/middle.mjml" %}{% block end %}fin{% endblock %}'
        "{% block content %}<mj-text>x</mj-text>{% endblock %}"
    )
    files = {**FILES, "_layout/middle.mjml": middle, "a/b/email.fr.mjml": mail}
    assert loaded(files).render("a/b", "email", "fr", VALUES)["text"] == "Ma Boutique\n\nx\n\nfin\n"


def test_shared_part_in_the_mail_s_own_language_comes_first(loaded):
    files = {
        "_parts/bye.txt": "Bye",
        "_parts/bye.fr.txt": "À bientôt",
        "a/b/sms.fr-CA.txt": '{% include "_parts/bye.txt" %}',
        "a/b/sms.en.txt": "{% include '_parts/bye.txt' %}",
    }
    templates = loaded(files)
    assert templates.render("a/b", "sms", "fr-CA", {})["text"] == "À bientôt\n"
    assert templates.render("a/b", "sms", "en", {})["text"] == "Bye\n"


def test_variables_of_layouts_count(loaded):
    assert loaded(FILES).variables("a/b", "email", "fr") == {"shop.legal_name", "name"}


def test_fault_in_a_layout_is_told_in_the_layout(load):
    files = {**FILES, "_layout/head.mjml": "<mj-section>\n{{ x | mony }}</mj-section>"}
    _, problems = load(files)
    assert "rules/templates/_layout/head.mjml:2:8: error[SF324]" in problems[0]


def test_files_that_use_themselves_are_told(load):
    files = {
        "_parts/a.txt": '{% include "_parts/b.txt" %}',
        "_parts/b.txt": '{% include "_parts/a.txt" %}',
        "x/y/sms.fr.txt": '{% include "_parts/a.txt" %}',
    }
    _, problems = load(files)
    assert (
        "rules/templates/_parts/b.txt:1:1: error[SF322]: '_parts/a.txt' uses itself" in problems[0]
    )


def test_files_that_double_each_other_are_stopped(load):
    files = {f"_p/{n}.txt": f'{{% include "_p/{n + 1}.txt" %}}' * 12 for n in range(6)}
    files["_p/6.txt"] = "x" * 100
    files["x/y/sms.fr.txt"] = '{% include "_p/0.txt" %}'
    _, problems = load(files)
    assert sum("files are used more than 200 times" in problem for problem in problems) == 1


def test_template_that_grows_too_long_is_stopped(load):
    files = {"_p/long.txt": "x" * 300_000, "x/y/sms.fr.txt": '{% include "_p/four.txt" %}'}
    files["_p/four.txt"] = '{% include "_p/long.txt" %}' * 4
    _, problems = load(files)
    assert "more than 1,000,000 characters once whole" in problems[0]


def test_what_a_layout_would_lose_is_told(load):
    files = {**FILES, "a/b/email.fr.mjml": MAIL.rstrip() + "\n    lost\n"}
    _, problems = load(files)
    assert (
        "a/b/email.fr.mjml:10:1: error[SF322]: what stands outside of blocks is lost"
        in (problems[0])
    )


def test_block_that_is_never_ended_is_told(load):
    _, problems = load({"a/b/sms.fr.txt": "a\n{% block x %}b"})
    assert "a/b/sms.fr.txt:2:1: error[SF322]: the block 'x' is never ended" in problems[0]


def test_names_cannot_lead_out_of_the_folder(load):
    _, problems = load({"a/b/sms.fr.txt": '{% include "../../../etc/passwd" %}'})
    assert "no file '../../../etc/passwd'" in problems[0]


def test_block_of_a_layout_that_is_never_ended_is_told(load):
    files = {
        **FILES,
        "a/b/email.fr.mjml": '{% extends "_layout/mail.mjml" %}\n{% block content %}x',
    }
    _, problems = load(files)
    assert "a/b/email.fr.mjml:2:1: error[SF322]: the block 'content' is never ended" in problems[0]
