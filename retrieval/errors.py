"""What can be wrong with a request to this room. Each message is for the person who made the request."""


class RetrievalError(Exception):
    """A request that cannot be answered as it was made."""


class InvalidRequest(RetrievalError):
    """Something given is not of the kind that is accepted; the message says which, and what is."""


class NotFound(RetrievalError):
    """The tenant has no such collection or document."""


class Conflict(RetrievalError):
    """What is there already does not agree with what is asked, such as a collection of another encoder."""


class UnreadableDocument(RetrievalError):
    """A document of which no text can be had."""


class EncoderFault(Exception):
    """The encoder gave something that are no vectors of its texts. Not the requester's fault; nothing was changed."""


class EncoderAway(Exception):
    """The encoder cannot be had now, and may be later; raised by whoever embeds. The message is for people."""
