"""How the templates of pages are read."""

import jinja2


def environment() -> jinja2.Environment:
    """Return the environment of all templates: text is escaped, what is undefined is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("specflow.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
