"""The forty fixed prompts and how they are shown."""

from training.evaluation.showcase import read_prompts, replies, written_reply


def test_there_are_forty_in_every_topic() -> None:
    prompts = read_prompts()
    assert len(prompts) == len({fixed.written() for fixed in prompts}) == 40
    topics = "greetings identity feelings knowledge passages sums lists stories tools"
    assert {fixed.topic for fixed in prompts} == {*topics.split(), "several turns"}
    assert all(fixed.prompt.messages[-1].role in ("user", "tool") for fixed in prompts)
    assert all(bool(fixed.prompt.tools) == (fixed.topic == "tools") for fixed in prompts)


def test_an_optional_parameter_is_not_required() -> None:
    (tool,) = next(fixed.prompt.tools for fixed in read_prompts() if len(fixed.prompt.tools) == 1)
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of the city"},
            "days": {"type": "integer", "description": "How many days ahead"},
        },
        "required": ["city"],
    }


def test_calls_are_shown_as_json_and_broken_ones_as_they_are() -> None:
    tools = next(fixed.prompt.tools for fixed in read_prompts() if fixed.topic == "tools")
    call = "<|call|>get_weather\ncity: Lisbon\ndays: 2"
    assert written_reply("Sure." + call, tools) == 'Sure.\ncalls get_weather {"city": "Lisbon", "days": 2}'
    assert written_reply("<|call|>fly", tools) == "<|call|>fly (fits no tool)"
    assert written_reply("Hello!", ()) == "Hello!"


def test_every_prompt_gets_its_reply(scripted) -> None:
    found = replies(scripted(lambda prompt: f"{len(prompt.messages)} messages, {len(prompt.tools)} tools"))
    assert [reply.topic for reply in found] == [fixed.topic for fixed in read_prompts()]
    assert found[0].prompt == "Hello!"
    assert found[0].reply == "1 messages, 0 tools"
    tool_result = next(reply for reply in found if "tool: " in reply.prompt)
    assert tool_result.prompt.startswith(
        "(tools: get_weather)\nuser: Will it rain in Bergen?\nassistant: calls get_weather"
    )
    assert tool_result.reply == "3 messages, 1 tools"
