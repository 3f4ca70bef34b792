"""markdown.js in the browser: what models write becomes nodes, and never markup of the model's own."""

import pytest

RENDER = """async ([texts]) => {
    const { MarkdownView } = await import("/markdown.js");
    const node = document.createElement("div");
    const view = new MarkdownView(node);
    texts.forEach((text) => view.render(text));
    return node.innerHTML;
}"""


def render(scripts, *texts: str) -> str:
    return scripts.evaluate(RENDER, [list(texts)])


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain\n\ntwo", "<p>plain</p><p>two</p>"),
        ("**bold** and *soft* _too_", "<p><strong>bold</strong> and <em>soft</em> <em>too</em></p>"),
        ("**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"),
        ("2 * 3 * 4, snake_case_name", "<p>2 * 3 * 4, snake_case_name</p>"),
        ("`a * b` ``x ` y``", "<p><code>a * b</code> <code>x ` y</code></p>"),
        (r"\*not soft\*", "<p>*not soft*</p>"),
        ("# One\n### Three", "<h3>One</h3><h5>Three</h5>"),
        ("- a\n- b\n  - c", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("1. a\n\n2. b\n\nend", '<ol start="1"><li>a</li><li>b</li></ol><p>end</p>'),
        ("> said\n> she", "<blockquote><p>said\nshe</p></blockquote>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("an open **bold", "<p>an open **bold</p>"),
    ],
)
def test_blocks_and_spans(scripts, text, html):
    assert render(scripts, text) == html


def test_code_block_keeps_its_text(scripts):
    html = render(scripts, "```python\nif a < b:\n    **x**\n```\nafter")
    assert "<span>python</span>" in html
    assert "<pre><code>if a &lt; b:\n    **x**</code></pre>" in html
    assert html.endswith("<p>after</p>")


def test_open_code_block_is_code_already(scripts):
    assert "<pre><code>half\n</code></pre>" in render(scripts, "```\nhalf\n")


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "**<b onclick=alert(1)>x</b>**",
        "`<iframe src=//example.org>`",
        "```<svg onload=alert(1)>\n<script>\n```",
        "[link](javascript:alert(1)) ![image](https://example.org/x.png)",
    ],
)
def test_markup_in_the_text_stays_text(scripts, text):
    found = scripts.evaluate(
        """async ([text]) => {
            const { MarkdownView } = await import("/markdown.js");
            const node = document.createElement("div");
            document.body.append(node);
            new MarkdownView(node).render(text);
            return [...node.querySelectorAll("*")].map((child) => child.localName);
        }""",
        [text],
    )
    assert set(found) <= {"p", "strong", "code", "figure", "figcaption", "span", "button", "pre"}


def test_growing_text_ends_as_if_rendered_at_once(scripts):
    text = "# A\n\n1. one\n2. two\n   - deep *er*\n\n```js\nlet a;\n```\n\n> so **it** goes\n\nend `x`"
    steps = [text[:end] for end in range(len(text) + 1)]
    assert render(scripts, *steps) == render(scripts, text)


def test_finished_blocks_are_left_alone_while_the_text_grows(scripts):
    kept = scripts.evaluate("""async () => {
        const { MarkdownView } = await import("/markdown.js");
        const node = document.createElement("div");
        const view = new MarkdownView(node);
        view.render("first\\n\\nsec");
        const [first, second] = node.children;
        view.render("first\\n\\nsecond");
        return [node.children[0] === first, node.children[1] === second];
    }""")
    assert kept == [True, False]


@pytest.mark.parametrize("text", ["*" * 20_000, "`" * 20_000, "**a " * 5_000, "> " * 5_000, "- " * 5_000, "_a" * 9_000])
def test_hostile_text_is_rendered_whole(scripts, text):
    shown = scripts.evaluate(
        """async ([text]) => {
            const { MarkdownView } = await import("/markdown.js");
            const node = document.createElement("div");
            new MarkdownView(node).render(text);
            return node.textContent.length;
        }""",
        [text],
    )
    assert shown <= len(text)
