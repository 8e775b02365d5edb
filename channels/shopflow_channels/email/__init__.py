"""E-mail over SMTP: pooled connections, TLS, a sender for each class, one-click unsubscribe.

```yaml
channels:
  email:
    host: smtp.relay.example
    username: ${SMTP_USER}
    password: ${file:/run/secrets/smtp}
    connections: 10
    from: "Ma Boutique <commande@boutique.example>"
    senders:
      marketing: {from: "Ma Boutique <bonjour@news.boutique.example>", rate: 20/s}
    cost: 0.0004
```
"""

from .channel import EmailChannel

__all__ = ["EmailChannel"]
