"""Templates that ask: what lint knows of their calls, and what a call gives."""

from __future__ import annotations

import pytest

from shopflow.domain.question import Option, Question, QuestionType
from shopflow.errors import TemplateError
from shopflow.lang.templates import Asker

QUESTIONS = {
    "why": Question(
        id="why",
        type=QuestionType.CHOICE,
        ask={"fr": "Pourquoi ?", "en": "Why?"},
        choices=(
            Option(value="price", label={"fr": "Le prix", "en": "The price"}),
            Option(value="other", label={"en": "Something else"}),
        ),
    ),
    "nps": Question(id="nps", type=QuestionType.NPS, ask={"en": "Would you?"}),
    "idea": Question(id="idea", type=QuestionType.TEXT, ask={"en": "What next?"}),
}


def asker():
    return Asker(QUESTIONS, lambda name, value: f"https://x.example/{name}/{value}")


def template(call):
    return {"a/b/sms.fr.txt": f"---\nvariables: {{name: string}}\n---\n{call}"}


def test_the_questions_of_a_template_are_known(load):
    templates, problems = load(
        template("{% set a = question('nps') %}{{ question(\"why\").ask }}{# question('no') #}")
    )
    assert problems == []
    (found,) = templates
    assert found.questions == {"nps", "why"}
    assert "question" not in templates.variables("a/b", "sms", "fr")


@pytest.mark.parametrize("call", ["{{ question() }}", "{{ question(name).ask }}"])
def test_a_question_that_is_not_written_out_is_a_problem(load, call):
    _, problems = load(template(call))
    (problem,) = problems
    assert "error[SF329]: question wants the name of a question in quotes" in problem


def test_a_question_gives_its_words_and_a_link_for_each_choice(load):
    each = "{% for c in a.choices %} {{ c.label }} {{ c.url }}{% endfor %}"
    text = "{% set a = question('why') %}{{ a.ask }}" + each
    templates, _ = load(template(text))
    parts = templates.render("a/b", "sms", "fr", {"name": "", "question": asker()})
    assert parts["text"].strip() == (
        "Pourquoi ? Le prix https://x.example/why/price Something else https://x.example/why/other"
    )


def test_figures_go_from_nought_to_ten_and_words_have_no_choices():
    assert [each["label"] for each in asker()("nps")["choices"]] == [str(n) for n in range(11)]
    assert asker()("idea")["choices"] == []
    assert asker()("idea")["url"] == "https://x.example/idea/"


def test_a_question_that_there_is_not_cannot_be_rendered(load):
    templates, _ = load(template("{{ question('gone').ask }}"))
    with pytest.raises(TemplateError, match="no question named 'gone'"):
        templates.render("a/b", "sms", "fr", {"name": "", "question": asker()})


@pytest.mark.parametrize(("locale", "asked"), [("fr-CA", "Pourquoi"), ("en", "Why?")])
def test_a_question_speaks_the_language_of_the_template_whatever_the_reader_s(load, locale, asked):
    files = {f"a/b/sms.{locale}.txt": "{{ question('why').ask }}"}
    templates, _ = load(files)
    parts = templates.render("a/b", "sms", "de", {"question": asker()})
    assert parts["text"].startswith(asked)
