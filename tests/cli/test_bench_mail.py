"""The benchmark of mails: both sides do the work that they are measured at."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP

import pytest

from shopflow.bench import mail
from shopflow.bench.mail_shop import written
from shopflow.rulebook import load_project

REPORT = mail.Report(
    made_microseconds=90, peer_microseconds=1000, delivered_per_second=90, peer_per_second=100
)


def test_both_sides_make_the_same_mail(tmp_path):
    pytest.importorskip("jinja2")
    make = mail._maker(load_project(written(tmp_path)).require())
    ours, peer = (message_from_bytes(one(), policy=SMTP) for one in (make, mail._peer()))
    assert ours["Subject"] == peer["Subject"] == "Your order A-1001, Anna"
    for one in (ours, peer):
        assert one["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        text, html = (part.get_content() for part in one.iter_parts())
        assert text.count("Candle no.") == html.count("Candle no.") == 5


def test_a_run_delivers_every_mail(monkeypatch):
    pytest.importorskip("jinja2")
    monkeypatch.setattr(mail, "MADE", 3)
    monkeypatch.setattr(mail, "DELIVERED", 30)
    report = mail.run(1)
    assert report.made_ratio > 0
    assert report.delivered_ratio > 0
    assert set(json.loads(mail.render_json(report))) > {"made_ratio", "delivered_ratio", "reached"}


def test_the_bars_are_a_tenth_and_four_fifths():
    assert REPORT.reached
    assert not replace(REPORT, made_microseconds=101).reached
    assert not replace(REPORT, delivered_per_second=79).reached
    assert "0.090 (bar 0.1)" in mail.render(REPORT)
