"""What the checks say of a text: each payload is refused by name or stays text, each fault has its place."""

import time

import pytest
from flask import Flask

from portal.email_templates.models import EmailTemplate
from portal.email_templates.queries import by_key
from portal.email_templates.services import Finding, Texts, check, page_of, preview, refusals
from portal.email_templates.services.markup import blanked
from portal.kernel import clock
from portal.mail.placeholders import KNOWN
from portal.mail.texts import shipped
from tests.support.make import shipped_template

pytestmark = pytest.mark.sqlite_only
GOOD = Texts("Come to {{ site_name }}", "<p>{{ link }} {{ code }}</p>", "{{ link }} {{ code }}\n")


@pytest.fixture(autouse=True)
def _app(app: Flask) -> None:
    """An app, for the base address."""


def found(html: str = "", *, kind: str = "invitation", **more: str) -> list[Finding]:
    texts = GOOD._replace(**({"html": html + GOOD.html} if html else {}), **more)
    return check(kind, "en", texts, clock.now())


def errors(html: str = "", **more: str) -> list[str]:
    return [one.told for one in found(html, **more) if one.error]


def warnings(html: str = "", **more: str) -> list[str]:
    return [one.told for one in found(html, **more) if not one.error]


def test_a_good_text_has_nothing_against_it() -> None:
    assert not found()


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ("{{ ''.__class__.__mro__ }}", "{{ ''.__class__.__mro__ }}"),
        ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "cycler.__init__"),
        ("{{ self.__init__ }}", "{{ self.__init__ }}"),
        ("{{ config.items() }}", "config.items"),
        ("{{ request.application }}", "{{ request.application }}"),
        ("{{ contact_name.__class__ }}", "contact_name.__class__"),
        ("{{ contact.password_hash }}", "{{ contact.password_hash }}"),
        ("{{ 7*7 }}", "{{ 7*7 }}"),
        ("{{ contact_name | attr: '__class__' }}", "“attr”"),
        ("{{ contact_name | safe }}", "“safe”"),
        ("{{ contact_name | replace: 'a', contact_name }}", "“replace”"),
        ("{{ contact_name | times: 100000 }}", "“times”"),
        ("{{ lipsum(n=100000) }}", "lipsum"),
        ("{% include '/etc/passwd' %}", "{% include %}"),
        ("{% render '/etc/passwd' %}", "{% render %}"),
        ("{% import os %}", "{% import %}"),
        ("{% set x = 1 %}", "{% set %}"),
        ("{% capture a %}x{% endcapture %}", "{% capture %}"),
        ("{% for i in (1..1000000000) %}x{% endfor %}", "for i in (1..1000000000)"),
        ("{% for i in (1..1999) %}{% for j in (1..1999) %}x{% endfor %}{% endfor %}", "for"),
        ("{% for i in range(10**9) %}x{% endfor %}", "range"),
        ("{% assign a = contact_name %}{% for i in (1..1900) %}{% assign a = a | append: a %}{% endfor %}", "“append”"),
        ("{{ (1..1000000000) | join: '' }}", "(1..1000000000)"),
        ("{% for i in (1..1999) %}" + "{{ code }}" * 4000 + "{% endfor %}", "loops"),
        ("{% if true %}" * 2000, "nesting"),
    ],
)
def test_a_payload_is_refused_by_name(payload: str, named: str) -> None:
    began = time.process_time()
    told = errors(payload)
    assert told
    assert any(named in text for text in told), told
    assert time.process_time() - began < 3


@pytest.mark.parametrize("payload", ["${7*7}", "#{7*7}", "<%= 7*7 %>", "%(name)s", "{0.__class__}", "@{x}", "[[7*7]]"])
def test_the_language_of_others_stays_text(payload: str) -> None:
    texts = Texts(f"S {payload}", f"<p>{payload} {{{{ link }}}}</p>", f"{payload} {{{{ link }}}} {{{{ code }}}}")
    shown = preview(_template(), "en", texts, clock.now())
    assert payload in shown.subject
    assert payload in shown.text
    assert "49" not in shown.html


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_an_unknown_placeholder_is_named_with_its_line(part: str) -> None:
    source = "{{ contact_nam }}" if part == "subject" else "<p>a</p>\n\n  {{ contact_nam }} {{ link }} {{ code }}"
    [one] = [one for one in found(**{part: source}) if one.error]  # type: ignore[arg-type]
    assert one.part == part
    assert (one.line, one.column) == ((1, 4) if part == "subject" else (3, 6))
    assert "contact_nam " in one.message
    assert "“contact_name”" in one.message
    assert one.token == "contact_nam"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("<p>\n{% if code %}\n<b>x</b></p>", 2, "{% if %} is not closed"),
        ("a\n{% for r in role_names %}{% if r %}{% endfor %}", 2, "{% endfor %}"),
        ("a\n\n{{ link", 3, "is not closed"),
        ("a\n{% endif %}", 2, "{% endif %} closes"),
        ("a\n{% if %}x{% endif %}", 2, "cannot be read"),
    ],
)
def test_a_tag_that_is_not_closed_has_its_place(source: str, line: int, words: str) -> None:
    [one] = [one for one in found(text=source) if one.error]
    assert one.line == line, one
    assert words in one.told


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<script>x</script>", "<script>"),
        ("<iframe src='x'></iframe>", "<iframe>"),
        ("<img src=x onerror=alert(1)>", "onerror="),
        ('<a href="javascript:alert(1)">x</a>', "javascript:"),
        ('<a href="{{ personal_message }}">x</a>', "personal_message"),
        ("<a href={{contact_name}}>x</a>", "contact_name"),
        ("<form><input></form>", "<form>"),
        ("<link rel=stylesheet href=x>", "<link>"),
    ],
)
def test_what_mail_programs_drop_is_refused(html: str, words: str) -> None:
    assert any(words in text for text in errors(html))


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_no_part_may_be_empty(part: str) -> None:
    told = refusals(check("invitation", "en", GOOD._replace(**{part: " \n"}), clock.now()))
    assert list(told) == [part]


def test_what_is_too_long_is_refused() -> None:
    assert "200" in errors(subject="x" * 201)[0]
    assert "50000" in errors(text="x" * 50_001)[0]


def test_a_subject_that_is_cut_is_a_warning() -> None:
    assert "78" in warnings(subject="Please come " * 9)[0]


@pytest.mark.parametrize("link", ["https://example.org/x", "//example.org", "mailto:a@example.org", "www.example.org"])
def test_a_link_written_into_the_text_is_a_warning(link: str) -> None:
    assert link in warnings(f'<a href="{link}">x</a>')[0]
    assert link in warnings(text=f"{link} {GOOD.text}")[0]


def test_a_message_without_its_link_and_code_is_refused() -> None:
    nothing = check("invitation", "en", Texts("S", "<p>Come!</p>", "Come!"), clock.now())
    assert any("{{ link }}" in one.message for one in nothing if one.error)


def test_a_part_without_link_or_code_is_a_warning() -> None:
    told = warnings(text="Come!")
    assert any("{{ link }}" in text for text in told)
    assert any("{{ code }}" in text for text in told)


def test_the_sites_own_messages_need_no_link() -> None:
    assert not check("message", "en", Texts("Hello", "<p>News</p>", "News"), clock.now())


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<table>\n<tr><td>x</tr></table>", "<td> is not closed"),
        ("</div>", "</div> closes nothing"),
        ("<div>", "<div> is not closed"),
        ("<b <i>x</i>", "no closing"),
    ],
)
def test_html_that_does_not_close_is_a_warning(html: str, words: str) -> None:
    assert any(words in text for text in warnings(html))


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_the_shipped_texts_have_nothing_against_them(kind: str, language: str) -> None:
    ours = shipped(kind, language)
    assert not check(kind, language, Texts(ours.subject, ours.html, ours.text), clock.now())


def test_blanking_keeps_every_place() -> None:
    source = "a {{ b }}\n{% if x %}c<!-- d\n e -->f {{ g"
    bare = blanked(source)
    assert len(bare) == len(source)
    assert [n for n, c in enumerate(bare) if c == "\n"] == [n for n, c in enumerate(source) if c == "\n"]
    assert "b" not in bare
    assert "f {{ g" in bare


@pytest.mark.parametrize(
    "piece", ["{{", "{%", "<!--", "<", "</", "{{ x }}", "<a ", "{% raw %}{{", "//", "{{ '", "{% if x %}"]
)
def test_a_long_hostile_text_is_read_at_once(piece: str) -> None:
    source = (piece * 50_000)[:49_000]
    began = time.process_time()
    check("invitation", "en", Texts(piece, source, source), clock.now())
    assert time.process_time() - began < 3


def _template() -> EmailTemplate:
    template = by_key("invitation")
    assert template is not None
    return template


@pytest.mark.parametrize(
    "piece",
    [
        "{% assign a = 'x'" + " | strip" * 100 + " %}",
        "{% if code == link" + " and code == link" * 50 + " %}{% endif %}",
    ],
)
def test_much_work_in_a_loop_is_refused(piece: str) -> None:
    began = time.process_time()
    [told] = errors("{% for i in (1..1999) %}" + piece * 40 + "{% endfor %}")
    assert "loops" in told
    assert time.process_time() - began < 2


def test_much_styling_is_refused() -> None:
    rules = "".join(f"p b i u:not(.c){{x:{number}}}" for number in range(1000))
    began = time.process_time()
    styled = f"<style>{rules}</style>" + "{% for i in (1..2000) %}<p><b><i><u>x</u></i></b></p>{% endfor %}"
    assert "rules of style" in " ".join(errors(styled))
    seen = preview(shipped_template(), "en", GOOD._replace(html=styled + GOOD.html), clock.now())
    assert not seen.whole
    assert time.process_time() - began < 2


def test_the_scheme_of_a_hostile_page_is_chosen_at_once() -> None:
    began = time.process_time()
    page_of("@media" * 40_000, "dark")
    page_of("@media prefers-color-scheme" * 10_000, "dark")
    page_of("@media" + " prefers-color-scheme" * 10_000, "dark")
    assert time.process_time() - began < 2
    assert page_of("@media (prefers-color-scheme: dark) {}", "dark") == "@media all {}"


def test_a_message_of_several_lines_in_the_subject_becomes_one() -> None:
    subject = "{{ personal_message }}{{ 'now' | date: '%n%t' }}!"
    assert not errors(subject=subject)
    seen = preview(shipped_template(), "en", GOOD._replace(subject=subject), clock.now())
    assert seen.subject.endswith("It may have lines. !")
    assert seen.subject.isprintable()
