"""How pages come from templates: every name and text from elsewhere is escaped."""

from typing import Any

import jinja2

from specflow.report.numbers import interval_of, number, value_of
from specflow.report.view import ABSENT, OTHERS, SUMMARY, View

_MOST_ROWS = 500  # of a table on a page


def rendered(template: str, view: View, **values: Any) -> str:
    """Return a page.

    Args:
        template: Name of its template.
        view: The figures that it shows, and what belongs to what.
        values: What else the template needs, by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specflow.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"value": value_of, "interval": interval_of, "number": number}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    known = {"summary": SUMMARY, "others": OTHERS, "absent": ABSENT, "most_rows": _MOST_ROWS}
    return environment.get_template(template).render(view=view, **known, **values)
