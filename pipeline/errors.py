"""The tree of errors. Each is shown to the user as one message without a traceback."""


class PipelineError(Exception):
    """Something failed that the user should hear about; the command ends with exit code 1."""

    exit_code = 1


class DataError(PipelineError):
    """Articles, themes or a command line that cannot be used; exit code 2."""

    exit_code = 2


class ConfigError(DataError):
    """A configuration file with an unknown key, a wrong type or a value out of range."""


class ModelError(DataError):
    """A model file that is missing, damaged, of another format or of other versions."""


class TrackingError(PipelineError):
    """The tracking server did not take the run. The model itself is already saved."""
