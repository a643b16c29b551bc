"""The one base class of errors that a user can mend; stages print them without a traceback."""


class SpecflowError(ValueError):
    """Something that a user did or has: a parameter, a file, a run that diverged."""
