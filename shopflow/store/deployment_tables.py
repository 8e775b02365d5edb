"""The tables of deployments, as `shopflow.store.tables` has all others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, Text

from shopflow.store.columns import metadata, text, whole

#: What was put to work; the row with the highest number is live.
deployments = Table(
    "deployments",
    metadata,
    whole("number"),
    text("move"),
    text("digest"),
    text("revision"),
    text("ruleset"),
    whole("at"),
    text("by"),
    text("reason"),
    #: A bundle that is being ramped up, and the share that gets it in millionths.
    Column("ramp", Text, nullable=False, server_default=""),
    Column("share", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("number"),
)

#: Archives of rules; `manifest` is JSON, `content` packed by zlib and base64.
bundles = Table(
    "bundles",
    metadata,
    text("digest"),
    text("manifest"),
    text("content"),
    whole("kept_at"),
    PrimaryKeyConstraint("digest"),
)

#: Bundles that are not to come back.
holds = Table(
    "holds",
    metadata,
    text("digest"),
    text("revision"),
    text("reason"),
    whole("at"),
    text("by"),
    #: JSON: the digests of workflows whose enrolments are to end.
    text("ended"),
    PrimaryKeyConstraint("digest"),
)
