"""The suites section of params.yaml: suites with the folder that a stage depends on."""

from specflow.params.suites import SuiteParams, Text


class DeclaredSuite(SuiteParams):
    """A suite of params.yaml.

    Attributes:
        path: The folder in which `files` are, in the project or anywhere else; DVC takes it for a
            dependency as a whole, since it knows no patterns.
    """

    path: Text
