"""The social channel: posts that a service such as Buffer, Make or Zapier publishes.

```yaml
channels:
  social: {url: "https://hooks.social.example/shop", networks: [instagram, facebook]}
```

The post is the template's text (`social.fr.txt`), with `url` and `image_url` of the message's
values. A post whose fate is unknown is not repeated: it would stand there twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, Message, OnUncertain, Receipt
from shopflow_channels.posting import SETTINGS, PostingChannel


class SocialChannel(PostingChannel):
    """Hands posts to one publishing service; is about no customer's address."""

    name: ClassVar[str] = "social"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": {
            **SETTINGS,
            "networks": {
                "description": "Where to publish; the service decides unless given.",
                "type": "array",
                "maxItems": 20,
                "items": {"type": "string", "pattern": "^[a-z][a-z0-9_-]*$"},
            },
        },
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec(extensions=("txt",), required=("text",))
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.HOLD

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._networks: Sequence[str] = settings.get("networks", ())

    async def _post(self, message: Message) -> Receipt:
        post: dict[str, object] = {
            "id": message.id,
            "text": message.content.get("text", "").strip(),
            "locale": message.locale,
            "networks": list(self._networks),
        }
        for name in ("url", "image_url"):
            if isinstance(value := message.variables.get(name), str) and value:
                post[name] = value
        return await self._poster.post(message, json.dumps(post).encode())
