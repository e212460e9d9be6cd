"""The followers' phones as a web page: read, tap, type, and watch the journey react.

For loopback only: whoever can open the page may act for anybody in it.
"""

from engage.sandbox.phone.app import phone_app
from engage.sandbox.phone.controls import Controls, JourneyLine

__all__ = ["Controls", "JourneyLine", "phone_app"]
