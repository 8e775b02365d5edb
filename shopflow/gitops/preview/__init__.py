"""The gallery of messages: each template with short and longest values, as people will see it."""
