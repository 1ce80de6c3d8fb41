"""The report of a run, rendered from its folder alone: `render` writes index.html, `junit` writes junit.xml."""

from chaosblink.report.junit import junit
from chaosblink.report.page import render

__all__ = ["junit", "render"]
