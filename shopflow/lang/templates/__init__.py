"""Templates: MiniJinja and MJML, compiled once at load, rendered for a channel and a locale.

Files are `<area>/<name>/<channel>.<locale>.<ext>`. `mjml` and `html` give a mail's html and text
(`txt` beside them is the text by hand), `txt` a text, `json` a body, `yaml` a part for each key.
"""

from .asking import Asker
from .front_matter import Variable
from .loading import load_templates
from .templates import STANDARD, Template, TemplateSet

__all__ = ["STANDARD", "Asker", "Template", "TemplateSet", "Variable", "load_templates"]
