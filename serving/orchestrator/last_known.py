"""What was found for each conversation's latest question, for the time when nothing can be found anew."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from serving.orchestrator.conversation import Conversation
from serving.retriever.request import Hit


class LastKnown:
    """The passages of the conversations that asked last, `most` questions in all.

    `scope` keeps apart what must never meet: a tenant's collection from all others.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._passages: OrderedDict[tuple[Hashable, bytes], tuple[Hit, ...]] = OrderedDict()

    def put(self, scope: Hashable, conversation: Conversation, hits: Sequence[Hit]) -> None:
        """Keep what was found for the conversation's question."""
        key = (scope, next(conversation.marks()))
        self._passages[key] = tuple(hits)
        self._passages.move_to_end(key)
        if len(self._passages) > self._most:
            self._passages.popitem(last=False)

    def get(self, scope: Hashable, conversation: Conversation) -> tuple[Hit, ...]:
        """What was found for this question before, else for the latest one before it; else nothing."""
        for mark in conversation.marks():
            if (scope, mark) in self._passages:
                self._passages.move_to_end((scope, mark))
                return self._passages[scope, mark]
        return ()
