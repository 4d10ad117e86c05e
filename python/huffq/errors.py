"""Every exception that huffq raises on its own account.

Wrong arguments are also `ValueError`, so that callers who know nothing of huffq catch them as
usual; trouble with the operating system stays `OSError`.
"""


class HuffqError(Exception):
    """Base class of all errors of huffq."""


class CorruptFileError(HuffqError):
    """Bytes that are not, or no longer, what huffq wrote: foreign data or a failed checksum."""


class TruncatedFileError(CorruptFileError):
    """Bytes that end before what they announce."""


class UnsupportedVersionError(HuffqError):
    """A format version that this huffq does not read."""


class CodebookError(HuffqError, ValueError):
    """An array that was encoded under another codebook, or without the one that is given."""


class LayerError(HuffqError, ValueError):
    """A layer that does not exist, or that is not quantised."""


class ExtractionError(HuffqError, ValueError):
    """Tensor values that are not the integer codes they should be."""


class CheckpointError(HuffqError, ValueError):
    """A checkpoint that cannot be read, or that belongs to another architecture."""


class DataError(HuffqError, ValueError):
    """A dataset that is missing, empty or of the wrong form."""


class TrainingError(HuffqError, ArithmeticError):
    """Training that cannot go on, because the loss is no longer finite."""


class TileError(HuffqError, ValueError):
    """A tile, or a line of a tile's text file, that breaks the text format."""
