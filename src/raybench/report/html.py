"""What every HTML page shares: its template environment, in which no text from raw data becomes markup."""

import jinja2
from markupsafe import Markup

from raybench.model.visible import visible


def environment() -> jinja2.Environment:
    """Make the environment of the pages' templates: values are escaped, control characters neutralised."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("raybench.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_finalize,
    )


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
