"""The pages' templates: every page is one file with the one style sheet in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

FOLDER = Path(__file__).resolve().parents[2] / "reports" / "templates"


def rendered(template: str, **values: Any) -> str:
    """The page that a template makes of these values; jinja2.UndefinedError when it needs one more."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    css = Markup((FOLDER / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(css=css, **values)
