"""Templates say what they should, in French and in English, and nothing when in doubt."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shopflow.errors import TemplateError

FRENCH = """
    ---
    subject: "Votre panier vous attend, {{ customer.first_name }}\u00a0!"
    preheader: "{{ items | length }} articles & plus"
    purposes: [cart_recovery]
    variables:
      items: list
      cart_url: {type: string, required: true}
      note: {type: string, required: false}
    ---
    <mjml>
      <mj-body>
        <mj-section>
          <mj-column>
            <mj-text>Bonjour {{ customer.first_name }}, l'été arrive\u202f!</mj-text>
            {% for item in items %}
            <mj-text>{{ item.name }} : {{ item.price | money }}</mj-text>
            {% else %}
            <mj-text>Rien</mj-text>
            {% endfor %}
            {% if note %}<mj-text>{{ note }}</mj-text>{% endif %}
            <mj-button href="{{ cart_url }}">Mon panier</mj-button>
          </mj-column>
        </mj-section>
      </mj-body>
    </mjml>
    """
ENGLISH = """
    ---
    subject: "Your basket is waiting, {{ customer.first_name }}"
    ---
    <html><body><p>Hello {{ customer.first_name }},</p>
    <ul>{% for i in items %}<li><a href="{{ cart_url }}">{{ i.name }}</a></li>{% endfor %}</ul>
    </body></html>
    """
FILES = {"cart/reminder/email.fr.mjml": FRENCH, "cart/reminder/email.en.html": ENGLISH}
VALUES = {
    "customer": {"first_name": "Zoé"},
    "items": [{"name": "Lampe", "price": 1234.5}, {"name": "Étagère", "price": 80}],
    "cart_url": "https://shop.example/r/k1?a=1&b=2",
}


def test_french_mail_keeps_accents_and_no_break_spaces(loaded):
    mail = loaded(FILES).render("cart/reminder", "email", "fr", VALUES)
    assert mail["subject"] == "Votre panier vous attend, Zoé\u00a0!"
    assert mail["preheader"] == "2 articles & plus"
    assert "l'été arrive\u202f!" in mail["html"]
    assert "1\u202f234,50\u00a0€" in mail["html"]
    assert "1\u202f234,50\u00a0€" in mail["text"]
    assert '<html lang="fr"' in mail["html"]


def test_preheader_and_title_are_put_into_the_html_and_escaped(loaded):
    html = loaded(FILES).render("cart/reminder", "email", "fr", VALUES)["html"]
    assert "2 articles &amp; plus" in html
    assert "<title>Votre panier vous attend, Zoé\u00a0!</title>" in html


def test_loop_between_mjml_elements_repeats_them(loaded):
    html = loaded(FILES).render("cart/reminder", "email", "fr", VALUES)["html"]
    assert html.count('<tr><td align="left"') == 3
    assert "Rien" not in html
    empty = loaded(FILES).render("cart/reminder", "email", "fr", {**VALUES, "items": []})["html"]
    assert "Rien" in empty


def test_mail_loads_nothing_from_strangers(loaded):
    html = loaded(FILES).render("cart/reminder", "email", "fr", VALUES)["html"]
    assert "googleapis" not in html


def test_data_is_escaped_in_html_and_plain_in_text(loaded):
    values = {**VALUES, "customer": {"first_name": "<script>alert(1)</script>"}}
    for locale in ("fr", "en"):
        mail = loaded(FILES).render("cart/reminder", "email", locale, values)
        assert "<script>" not in mail["html"]
        assert "&lt;script&gt;" in mail["html"]
        assert "<script>alert(1)</script>" in mail["text"]
        assert "<script>alert(1)</script>" in mail["subject"]


def test_markup_in_data_is_no_template(loaded):
    values = {**VALUES, "customer": {"first_name": "{{ cart_url }}{% raise %}"}}
    mail = loaded(FILES).render("cart/reminder", "email", "fr", values)
    assert mail["subject"].startswith("Votre panier vous attend, {{ cart_url }}{% raise %}")
    assert "{{ cart_url }}{% raise %}" in mail["text"]


def test_text_part_is_derived_with_links_and_lines(loaded):
    text = loaded(FILES).render("cart/reminder", "email", "fr", VALUES)["text"]
    assert text == (
        "Bonjour Zoé, l'été arrive\u202f!\n\n"
        "Lampe : 1\u202f234,50\u00a0€\n\n"
        "Étagère : 80,00\u00a0€\n\n"
        "Mon panier (https://shop.example/r/k1?a=1&b=2)\n"
    )


def test_text_of_a_list_has_one_line_an_item(loaded):
    text = loaded(FILES).render("cart/reminder", "email", "en", VALUES)["text"]
    assert text == (
        "Hello Zoé,\n\n"
        "- Lampe (https://shop.example/r/k1?a=1&b=2)\n"
        "- Étagère (https://shop.example/r/k1?a=1&b=2)\n"
    )


def test_text_by_hand_is_kept_as_written(loaded):
    files = {**FILES, "cart/reminder/email.fr.txt": "Bonjour  {{ customer.first_name }}\n  * là\n"}
    mail = loaded(files).render("cart/reminder", "email", "fr", VALUES)
    assert mail["text"] == "Bonjour  Zoé\n  * là\n"
    assert "Mon panier" in mail["html"]


@pytest.mark.parametrize(
    ("asked", "project", "found"),
    [
        ("fr", "en", "fr"),
        ("fr-CA", "en", "fr"),
        ("fr_BE", "en", "fr"),
        ("de", "en", "en"),
        ("de-AT", "en-GB", "en"),
        ("", "fr", "fr"),
        ("de", "it", "en"),
    ],
)
def test_locale_falls_back_to_its_language_then_the_project_s_then_any(
    loaded, asked, project, found
):
    assert loaded(FILES, locale=project).find("cart/reminder", "email", asked).locale == found


def test_set_knows_its_names_channels_locales_and_what_templates_say(loaded):
    templates = loaded({**FILES, "cart/reminder/sms.fr.txt": "Bonjour"})
    assert templates.names() == {"cart/reminder"}
    assert templates.channels("cart/reminder") == {"email", "sms"}
    assert templates.locales("cart/reminder", "email") == {"en", "fr"}
    template = templates.find("cart/reminder", "email", "fr")
    assert template.purposes == ("cart_recovery",)
    assert template.path == "rules/templates/cart/reminder/email.fr.mjml"
    assert {name: (v.type, v.required) for name, v in template.variables.items()} == {
        "items": ("list", True),
        "cart_url": ("string", True),
        "note": ("string", False),
    }
    assert len(list(templates)) == 3


def test_variables_are_those_that_any_part_reads(loaded):
    templates = loaded(FILES)
    assert templates.variables("cart/reminder", "email", "fr") == {
        "customer.first_name",
        "items",
        "cart_url",
        "note",
    }
    assert templates.variables("no/such", "email", "fr") == frozenset()


def test_missing_variable_is_named_with_file_and_line_and_without_data(loaded):
    values = {**VALUES, "customer": {"last_name": "Secret"}}
    with pytest.raises(TemplateError) as caught:
        loaded(FILES).render("cart/reminder", "email", "en", values)
    text = str(caught.value)
    assert text == (
        "rules/templates/cart/reminder/email.en.html:2: 'customer.first_name' is undefined"
    )


def test_error_inside_compiled_mjml_names_the_line_of_the_source(loaded):
    values = {**VALUES, "items": [{"price": 3}]}
    with pytest.raises(TemplateError, match=r"email\.fr\.mjml:16: 'item\.name' is undefined"):
        loaded(FILES).render("cart/reminder", "email", "fr", values)


def test_value_that_a_filter_cannot_write_is_told_with_its_code(loaded):
    values = {**VALUES, "items": [{"name": "Lampe"}]}
    with pytest.raises(TemplateError) as caught:
        loaded(FILES).render("cart/reminder", "email", "fr", values)
    assert str(caught.value).endswith(
        "email.fr.mjml:16: the filter 'money' wants a number, in 'item.price | money'"
    )


def test_declared_variable_that_is_not_given_is_named(loaded):
    values = {key: value for key, value in VALUES.items() if key != "cart_url"}
    with pytest.raises(TemplateError, match=r"email\.fr\.mjml: 'cart_url' is not given"):
        loaded(FILES).render("cart/reminder", "email", "fr", values)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("a\n{{ x.y }}", r"sms\.fr\.txt:2: 'x\.y' is null and would be printed"),
        ("{{ x.y }}{{ z }}", r"sms\.fr\.txt: 'x\.y' or 'z' is null"),
        ("{% for i in l %}{{ i }}{% endfor %}", r"sms\.fr\.txt: a value is null"),
    ],
)
def test_null_is_never_printed(loaded, code, told):
    templates = loaded({"a/b/sms.fr.txt": code})
    with pytest.raises(TemplateError, match=told):
        templates.render("a/b", "sms", "fr", {"x": {"y": None}, "z": None, "l": [None]})


def test_wrong_kind_of_value_is_told_by_its_code_not_by_its_value(loaded):
    templates = loaded({"a/b/sms.fr.txt": "ab\n{{ customer.name + 1 }}"})
    with pytest.raises(TemplateError) as caught:
        templates.render("a/b", "sms", "fr", {"customer": {"name": "Secret"}})
    assert str(caught.value) == (
        "rules/templates/a/b/sms.fr.txt:2: cannot evaluate 'customer.name + 1' (InvalidOperation)"
    )


def test_unknown_template_is_named(loaded):
    with pytest.raises(TemplateError, match="no template 'cart/reminder' for the channel 'sms'"):
        loaded(FILES).render("cart/reminder", "sms", "fr", {})


@pytest.mark.parametrize(
    "loop",
    [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(3000) %}{% for b in range(1000) %}xxxxxxxxxx{% endfor %}{% endfor %}",
    ],
)
def test_loop_that_does_not_end_is_stopped(loaded, loop):
    with pytest.raises(TemplateError, match=r"sms\.fr\.txt:1: takes more than"):
        loaded({"a/b/sms.fr.txt": loop}).render("a/b", "sms", "fr", {})


def test_endless_recursion_and_endless_text_are_stopped(loaded):
    recursion = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"
    growth = "{% for i in range(3000) %}{{ 'x' * 1000 }}{% endfor %}"
    templates = loaded({"a/b/sms.fr.txt": recursion, "a/c/sms.fr.txt": growth})
    for name in ("a/b", "a/c"):
        with pytest.raises(TemplateError):
            templates.render(name, "sms", "fr", {})


def test_order_of_1000_lines_is_within_the_limit(loaded):
    items = [{"name": f"Article {n}", "price": n} for n in range(1000)]
    mail = loaded(FILES).render("cart/reminder", "email", "fr", {**VALUES, "items": items})
    assert "Article 999" in mail["text"]


def test_threads_render_side_by_side(loaded):
    templates = loaded(FILES)

    def render(number):
        values = {**VALUES, "customer": {"first_name": f"N{number}"}}
        return templates.render("cart/reminder", "email", "fr", values)["text"]

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(render, range(400)))
    assert all(f"Bonjour N{number}," in text for number, text in enumerate(texts))


def test_json_template_writes_values_as_json(loaded):
    body = '{"name": {{ customer.name }}, "lines": {{ items }}, "note": {{ note }}}'
    templates = loaded({"a/b/webhook.fr.json": body})
    values = {"customer": {"name": 'a "b" </script>'}, "items": [1, {"x": None}], "note": None}
    text = templates.render("a/b", "webhook", "fr", values)["body"]
    assert json.loads(text) == {
        "name": 'a "b" </script>',
        "lines": [1, {"x": None}],
        "note": None,
    }


def test_json_template_that_gives_no_json_is_an_error(loaded):
    templates = loaded({"a/b/webhook.fr.json": '{"a": {{ x | safe }}}'})
    with pytest.raises(TemplateError, match=r"webhook\.fr\.json: gives no JSON"):
        templates.render("a/b", "webhook", "fr", {"x": "Secret"})


def test_yaml_template_has_a_part_for_each_key(loaded):
    files = {
        "a/b/webpush.fr.yaml": """
            ---
            purposes: [cart_recovery]
            ---
            title: "Votre panier, {{ customer.first_name }}"
            body: >
              {{ items | length }} articles
              vous attendent
            icon: https://shop.example/i.png
            """
    }
    templates = loaded(files)
    assert templates.render("a/b", "webpush", "fr", VALUES) == {
        "title": "Votre panier, Zoé",
        "body": "2 articles vous attendent",
        "icon": "https://shop.example/i.png",
    }
    assert templates.find("a/b", "webpush", "fr").purposes == ("cart_recovery",)


@pytest.mark.parametrize(
    ("code", "locale", "text"),
    [
        ("{{ 1234.5 | money }}", "fr", "1\u202f234,50\u00a0€"),
        ("{{ 1234.5 | money }}", "en", "€1,234.50"),
        ("{{ '12.30' | money('CHF') }}", "fr", "12,30\u00a0CHF"),
        ("{{ 12 | money('USD', 'en') }}", "fr", "$12.00"),
        ("{{ 1234567.891 | number }}", "fr", "1\u202f234\u202f567,891"),
        ("{{ '2026-03-03T23:30:00Z' | date }}", "fr", "4 mars 2026"),
        ("{{ '2026-03-03T23:30:00Z' | date('full') }}", "en", "Wednesday, March 4, 2026"),
        ("{{ '2026-03-03' | date('EEEE d MMMM') }}", "fr", "mardi 3 mars"),
        ("{{ '2026-03-03T23:30:00Z' | time }}", "fr", "00:30"),
        ("{{ 7200 | duration }}", "fr", "2\u00a0heures"),
        ("{{ 172800 | duration }}", "en", "2 days"),
        ("{{ coupon.code if coupon else '-' }}", "fr", "-"),
    ],
)
def test_filters_write_as_the_language_does(loaded, code, locale, text):
    templates = loaded({f"a/b/sms.{locale}.txt": code}, timezone="Europe/Paris")
    assert templates.render("a/b", "sms", locale, {})["text"].strip() == text


@pytest.mark.parametrize(
    "code",
    [
        "{{ name | money }}",
        "{{ true | money }}",
        "{{ 'NaN' | money }}",
        "{{ name | date }}",
        "{{ 1 | date }}",
        "{{ name | duration }}",
        "{{ 1e300 | duration }}",
        "{{ 1 | money('EUR', 'xx-nowhere') }}",
        "{{ 1 | money(1, 2, 3, 4, 5) }}",
        "{{ '2026-03-03' | date('" + "y" * 100 + "') }}",
    ],
)
def test_filter_on_a_wrong_value_is_an_error_without_the_value(loaded, code):
    templates = loaded({"a/b/sms.fr.txt": code})
    with pytest.raises(TemplateError, match=r"^rules/templates/a/b/sms\.fr\.txt") as caught:
        templates.render("a/b", "sms", "fr", {"name": "Secret"})
    assert "Secret" not in str(caught.value)


def test_html_takes_the_preheader_to_its_top_and_names_listed_are_required(loaded):
    text = "---\npreheader: a & {{ b }}\nvariables: [b]\n---\n<html><body class='x'>c</body></html>"
    templates = loaded({"a/b/email.fr.html": text})
    mail = templates.render("a/b", "email", "fr", {"b": "<d>"})
    assert "<body class='x'><div style=\"display:none" in mail["html"]
    assert ">a &amp; &lt;d&gt;</div>c" in mail["html"]
    assert mail["text"] == "c\n"
    assert mail["preheader"] == "a & <d>"
    with pytest.raises(TemplateError, match="'b' is not given"):
        templates.render("a/b", "email", "fr", {})


def test_preheader_and_title_by_hand_are_left_alone(loaded):
    text = """
        ---
        subject: S
        preheader: P
        ---
        {% set x = 1 %}
        <mjml lang="de"><mj-head><mj-title>T</mj-title><mj-preview>V</mj-preview></mj-head>
        <mj-body></mj-body></mjml>
        """
    html = loaded({"a/b/email.fr.mjml": text}).render("a/b", "email", "fr", {})["html"]
    assert "<title>T</title>" in html
    assert ">V</div>" in html
    assert 'lang="de"' in html
    assert "S" not in html.replace("DOCTYPE", "").split("<title>")[1].split("</title>")[0]


def test_filter_block_is_told_without_its_place(loaded):
    templates = loaded({"a/b/sms.fr.txt": "{% filter money %}x{% endfilter %}"})
    with pytest.raises(TemplateError, match=r"sms\.fr\.txt: the filter 'money' wants a number"):
        templates.render("a/b", "sms", "fr", {})


def test_empty_files_say_nothing(loaded):
    templates = loaded({"a/b/webpush.fr.yaml": "", "a/b/sms.fr.txt": "---\n---\n"})
    assert templates.render("a/b", "webpush", "fr", {}) == {}
    assert templates.render("a/b", "sms", "fr", {}) == {"text": "\n"}


def test_mjml_may_have_comments_line_breaks_and_no_body(loaded):
    mjml = "<mjml><!-- a --><mj-body><mj-raw>a<br>b</mj-raw></mj-body></mjml>"
    bare = "---\nsubject: S\n---\n<mjml></mjml>"
    templates = loaded({"a/b/email.fr.mjml": mjml, "a/c/email.fr.mjml": bare})
    assert "a" in templates.render("a/b", "email", "fr", {})["text"]
    assert templates.render("a/c", "email", "fr", {})["subject"] == "S"
