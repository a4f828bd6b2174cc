"""Every setting once, and where its value came from: file < environment < flag.

``load_settings`` is the door. Importing this package loads pydantic, so the command line imports it inside commands.
"""

from llmtester.settings.layers import assignments
from llmtester.settings.loading import Loaded, config_search_path, load_settings
from llmtester.settings.schema import Settings

__all__ = ["Loaded", "Settings", "assignments", "config_search_path", "load_settings"]
