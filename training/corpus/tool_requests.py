"""Single requests with the one call that answers them: SNIPS and NLU-Evaluation-Data.

The files hold no schemas, so a tool's parameters are those that its calls use. Every request comes with other tools of
its data set on offer, and a few requests with tools of which none fits.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.models.tool_calls import Call, write_tools
from training.conversation import Message, Tool, assistant, calling, user
from training.corpus.example import Example, is_held_out
from training.corpus.files import rows

DECLINES = (
    "I have no tool for that.",
    "None of my tools can do that.",
    "Sorry, none of my tools fits that.",
    "I cannot do that with the tools I have.",
    "Sorry, I have no tool that can do this.",
    "My tools cannot do that, I am afraid.",
)
"""What the model says where no offered tool fits."""
_DESCRIPTIONS = {
    "AddToPlaylist": "Add a song, an album or an artist to a playlist",
    "BookRestaurant": "Book a table at a restaurant",
    "GetWeather": "Get the weather forecast of a place",
    "PlayMusic": "Play music",
    "RateBook": "Rate a book",
    "SearchCreativeWork": "Find a book, a song, a game, a show or another creative work",
    "SearchScreeningEvent": "Find when and where a film is shown",
}
_DECLINED_SHARE = 0.15
_LONGEST_OFFER = 600
"""Characters of the tools beside the right one."""
_RARE = 0.03
"""Parameters that fewer of a tool's calls use are annotators' slips."""
_KINDS = {"snips": "snips", "nlu_eval": "nlu"}


def requests(path: Path) -> Iterator[Example]:
    """One request, one call. Held out by the request's words."""
    found = [(row["src"], row["messages"][0]["content"].strip(), _call(row)) for row in rows(path)]
    # NLU-Evaluation-Data's general_ intents are talk, not requests.
    found = [(source, words, call) for source, words, call in found if not call.name.startswith("general_")]
    tools = _tools((source, call) for source, _, call in found)
    for source, words, call in found:
        tool = tools[source][call.name]
        if not call.arguments.keys() <= tool["function"]["parameters"]["properties"].keys():
            continue
        rng = random.Random(words)
        fits = rng.random() >= _DECLINED_SHARE
        # calendar_set may well fit what was labelled calendar_query, so such are offered beside the right one alone.
        topic = call.name if fits else call.name.split("_")[0]
        others = [other for name, other in tools[source].items() if not name.startswith(topic)]
        offered = rng.sample(others, min(rng.randint(1, 3), len(others)))
        while len(offered) > 1 and len(write_tools(offered)) > _LONGEST_OFFER:
            offered.pop()
        if fits:
            offered.insert(rng.randint(0, len(offered)), tool)
        reply: Message = calling(call) if fits else assistant(rng.choice(DECLINES))
        yield Example(
            "requests",
            is_held_out(words.lower()),
            messages=(user(words), reply),
            tools=tuple(offered),
            kind=_KINDS[source] if fits else "no_tool_fits",
        )


def _call(row: dict[str, Any]) -> Call:
    call = row["messages"][1]["tool_calls"][0]
    return Call(call["name"], call["arguments"])


def _tools(calls: Iterator[tuple[str, Call]]) -> dict[str, dict[str, Tool]]:
    """Schemas by data set and name: every parameter is a string, and required if no call goes without it."""
    counts: Counter[tuple[str, str]] = Counter()
    used: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for source, call in calls:
        counts[source, call.name] += 1
        used[source, call.name].update(call.arguments.keys())
    tools: dict[str, dict[str, Tool]] = defaultdict(dict)
    for (source, name), count in counts.items():
        parameters = [key for key, times in used[source, name].most_common() if times >= _RARE * count]
        tools[source][name] = {
            "type": "function",
            "function": {
                "name": name,
                "description": _DESCRIPTIONS.get(name, ""),
                "parameters": {
                    "type": "object",
                    "properties": {key: {"type": "string"} for key in parameters},
                    "required": [key for key in parameters if used[source, name][key] == count],
                },
            },
        }
    return tools
