"""Looking for a person everywhere, in every form that software writes text in."""

from __future__ import annotations

import hashlib
import json
import quopri
from base64 import b64encode
from urllib.parse import quote, quote_plus


def forms(word):
    """How the word may stand somewhere: plain, encoded, or as a hash that anybody can make."""
    raw = word.encode()
    found = {raw, raw.lower(), raw.upper(), quote(word, safe="").encode(), quote(word).encode()}
    found |= {quote_plus(word).encode(), quopri.encodestring(raw), json.dumps(word)[1:-1].encode()}
    found.add(word.replace("@", "=40").encode())
    for shift in range(3):
        # What base64 makes of it inside of a longer text: the ends hang on the neighbours.
        coded = b64encode(b"\0" * shift + raw).rstrip(b"=")
        found.add(coded[(shift * 8 + 5) // 6 + (1 if shift else 0) : -1])
        found.add(found_url := coded[(shift * 8 + 5) // 6 + (1 if shift else 0) : -1])
        found.add(found_url.replace(b"+", b"-").replace(b"/", b"_"))
    for text in {word, word.lower(), word.strip()}:
        for kind in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            found.add(hashlib.new(kind, text.encode()).hexdigest().encode())
        found.add(hashlib.blake2b(text.encode(), digest_size=20).hexdigest().encode())
    return {each for each in found if len(each) > 5}


def traces(words, haystacks):
    """(where, form) of whatever is found; haystacks are (where, bytes)."""
    sought = {form for word in words for form in forms(word)}
    return [
        (where, form)
        for where, text in haystacks
        for form in sought
        if form in text or form.lower() in text.lower()
    ]


def files_in(folder, *, but=()):
    """Every file's bytes, save those of these endings."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(tuple(but)):
            yield str(path.relative_to(folder)), path.read_bytes()


def redis_values(redis, namespace):
    """Everything that Redis holds of a namespace, key by key."""
    read = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
    }
    for pattern in (f"{namespace}:*", f"rq:*{namespace}-*"):
        for key in redis.scan_iter(pattern, count=1000):
            yield key.decode(), repr(read[redis.type(key)](key)).encode()
