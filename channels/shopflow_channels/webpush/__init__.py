"""The webpush channel."""

from .channel import WebPushChannel

__all__ = ["WebPushChannel"]
