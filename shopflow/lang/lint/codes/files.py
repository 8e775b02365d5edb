"""Codes of files and settings: SF0."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.lang.lint.codes.entry import Entry, error, warning

CODES: Mapping[str, Entry] = {
    "SF001": error(
        "not YAML",
        "The file cannot be read, or is no YAML. Nothing else is said about this file; all "
        "others are checked.",
    ),
    "SF002": error(
        "duplicate key",
        "A key stands twice in one map. Most readers of YAML keep the last one silently.",
    ),
    "SF003": warning(
        "read differently by YAML 1.1",
        "A plain word such as NO, on, 1:30 or 00123 is text here, and false, true, 90 or 83 "
        "for older readers. Where true or false is expected, it is an error.",
    ),
    "SF004": error(
        "not as the schema says",
        "A value or a key is not what this kind of file has there. The message names what was "
        "found and what was expected.",
    ),
    "SF005": error(
        "unknown key",
        "A key that this place does not have, usually a slip of the keyboard.",
    ),
    "SF006": error(
        "id is not the file name",
        "A workflow or coupon lives in a file named after its id, so that it can be found.",
    ),
    "SF007": error(
        "duplicate id",
        "Two workflows, coupons, steps, exits or caps have one name, so that nobody could "
        "tell them apart.",
    ),
    "SF008": error(
        "condition that YAML changes",
        "YAML takes a leading ! for a tag and cuts a plain line at ' #'. Put the condition "
        "into quotes or a | block.",
    ),
    "SF009": error(
        "bad length, time or zone",
        "A length of time, time of day, time zone, cron schedule or holiday calendar that "
        "does not exist.",
    ),
    "SF010": error("unknown apiVersion", "This version reads shopflow/v1."),
    "SF011": error("no owner", "Every workflow names who answers for it."),
    "SF012": error(
        "missing variable or secret",
        "A setting refers to an environment variable or a file that is not there. Only "
        "commands that run the rules say so.",
    ),
    "SF013": warning(
        "file that nothing reads",
        "A YAML file in a place where no kind of file is read from, so that it has no effect.",
    ),
    "SF014": error("no project", "The folder has no shopflow.yaml."),
    "SF015": error(
        "live outside production",
        "Delivery may be live in the environment production only.",
    ),
}
