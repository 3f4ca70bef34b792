# %% [markdown]
# # Pages and prefixes
#
# A language model keeps notes about the text so far: the *KV cache*. This notebook looks at it from inside, while the
# model that comes with Tradewind writes: how it is kept in pages, how a second turn of a chat finds the first one's
# pages, and what happens when there are not enough of them.

# %%
import jax

jax.config.update("jax_platforms", "cpu")

# %% [markdown]
# ## The engine, in parts
#
# `load` reads the model and compiles. What it returns has a *runner*, which owns the device and its cache of 32 pages.
# To save time we do without the smaller programs, which are only quicker.

# %%
from serving.engine.loading import load
from serving.engine.options import EngineOptions
from serving.models.folder import EMBEDDED_MODEL

ROWS, PAGES, PAGE_SIZE, CONTEXT = 4, 32, 8, 256
OPTIONS = EngineOptions(
    mesh="tensor=1",
    max_rows=ROWS,
    pages=PAGES,
    page_size=PAGE_SIZE,
    max_context=CONTEXT,
    step_tokens=16,
    decode_steps=1,
)
loaded = load(EMBEDDED_MODEL, OPTIONS, lambda progress: None)
runner = loaded.runner
runner.programs.cancel()

# %% [markdown]
# ## What is kept
#
# To write a token, attention looks back at every token before it: at one *key* and one *value* for each layer and
# head. Computing them anew for each step would be slow, so they are kept. For this small model, one token of context
# takes:

# %%
from serving.models.config import DecoderConfig

config = DecoderConfig.from_folder(EMBEDDED_MODEL)
token_bytes = 2 * config.layers * config.kv_heads * config.head_dim * 4  # keys and values in float32

assert sum(leaf.nbytes for leaf in jax.tree.leaves(runner.cache)) == (PAGES + 1) * PAGE_SIZE * token_bytes
print(f"{token_bytes:,} bytes a token, {PAGE_SIZE * token_bytes:,} bytes a page of {PAGE_SIZE}")

# %% [markdown]
# (The runner has one page more than we asked for. Rows without work write there.)
#
# ## A prompt in pages
#
# A chat is rendered to text, and the text becomes tokens. Here eight of them make a page; a server's pages have 16.

# %%
from serving.models.chat_template import ChatTemplate
from serving.models.tokenizer import Tokenizer

tokenizer = Tokenizer.from_folder(EMBEDDED_MODEL)
template = ChatTemplate.from_folder(EMBEDDED_MODEL)


def tokens_of(*messages):
    """The prompt for a chat: alternately what the user and what the assistant said."""
    roles = ("user", "assistant")
    chat = [{"role": roles[number % 2], "content": text} for number, text in enumerate(messages)]
    return tuple(tokenizer.encode(template.render(chat), add_special_tokens=False))


QUESTION = "Hello! Tell me a short story about a cat."
prompt = tokens_of(QUESTION)

for start in range(0, len(prompt), PAGE_SIZE):
    print(start // PAGE_SIZE, repr(tokenizer.decode(prompt[start : start + PAGE_SIZE])))

# %% [markdown]
# ## The page pool
#
# The *pool* says who has which page. It is a plain Python object and knows nothing of JAX. A page is *free*, *held* by
# one or more requests, or *idle*: held by nobody, but its text can still be found.

# %%
from serving.engine.pages import PagePool, root_digest

pool = PagePool(count=4, page_size=2)
first, second = pool.allocate(2, salt="")

assert pool.held == 2 and pool.available == 2

# %% [markdown]
# A full page is *published* under a digest of everything up to its end. So a page is found only by a text that is the
# same from its very first token on.

# %%
digest = pool.publish(first, "", root_digest(""), [7, 7])
pool.publish(second, "", digest, [8, 8])

assert pool.find("", [7, 7, 8, 8, 9], limit=9) == [first, second]
assert pool.find("", [7, 7, 5, 5], limit=9) == [first]
assert pool.find("", [8, 8], limit=9) == []

# %% [markdown]
# Given back, the pages count as available, but their texts are found until the pages are needed for something else.

# %%
pool.release([first, second])

assert pool.available == 4
assert pool.find("", [7, 7, 8, 8], limit=9) == [first, second]

pool.allocate(3, salt="")  # two were free; of the idle ones the end of the text goes first

assert pool.find("", [7, 7, 8, 8], limit=9) == [first]

# %% [markdown]
# ## An engine to watch
#
# The *scheduler* decides what each step computes and hands out the pages. The engine's loop is three calls: schedule,
# run, commit. This one also writes down who has which page at each step.

# %%
import numpy as np
import pictures

from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.scheduler import Scheduler


class Watched:
    """An engine's loop over the runner, with a pool of its own."""

    def __init__(self, pages=PAGES, prefix_cache=True):
        self.pool = PagePool(pages, PAGE_SIZE)
        self.scheduler = Scheduler(
            self.pool,
            rows=ROWS,
            step_tokens=loaded.step_tokens,
            max_context=min(CONTEXT, pages * PAGE_SIZE),
            eos_ids=loaded.description.eos_token_ids,
            clock=lambda: 0.0,
            prefix_cache=prefix_cache,
        )
        self.sequences = []  # of all requests so far
        self.plans = []
        self.owners, self.holders = [], []  # of each page, at each step

    def serve(self, **prompts):
        """The replies to some prompts that arrive together."""
        replies = {name: [] for name in prompts}
        for name, tokens in prompts.items():
            salt = "another tenant" if name.startswith("other") else ""
            self.scheduler.submit(GenerationRequest(name, tokens, SamplingParams(max_tokens=80, temperature=0), salt))
        while plan := self.scheduler.schedule():
            self.plans.append(plan)
            self.sequences += [sequence for sequence in plan.admitted if sequence not in self.sequences]
            self._look()
            for delta in self.scheduler.commit(plan, runner.dispatch(plan).read()):
                replies[delta.id] += delta.tokens
        self._look()
        return replies

    def _look(self):
        """Notes who has which page; who wrote one stays its owner as long as the text can be found there."""
        before = self.owners[-1] if self.owners else np.full(self.pool.count, pictures.NOBODY)
        owners, holders = np.full(self.pool.count, pictures.NOBODY), np.zeros(self.pool.count, int)
        for number, sequence in enumerate(self.sequences):
            found = self.pool.find(sequence.request.salt, sequence.tokens, self.pool.count)
            kept = [page for page in {*sequence.pages, *found} if before[page] == number]
            owners[kept] = number
        for number, sequence in enumerate(self.sequences):
            new = [page for page in sequence.pages if owners[page] == pictures.NOBODY]
            owners[new] = number
            holders[sequence.pages] += 1
        self.owners.append(owners)
        self.holders.append(holders)

    def draw(self):
        """The pool from the first step to the last, as far as pages were ever used."""
        owners, holders = np.stack(self.owners), np.stack(self.holders)
        used = 1 + np.flatnonzero((owners != pictures.NOBODY).any(axis=0)).max()
        names = [sequence.request.id for sequence in self.sequences]
        pictures.page_table(owners[:, :used], holders[:, :used], names)


# %% [markdown]
# ## The first turn

# %%
chat = Watched()
reply = chat.serve(first_turn=prompt)["first_turn"]

print(tokenizer.decode(reply))

# %% [markdown]
# This is the pool while that was written, step by step. First the prompt is read, two pages a step. Then every step
# writes a token, and when a page is full a new one is taken. After the last step nobody holds a page, and what is pale
# can be found.

# %%
assert len(chat.plans[0].chunks) == 1 and chat.plans[0].chunks[0].end == min(16, len(prompt))
assert chat.pool.held == 0
chat.draw()

# %% [markdown]
# ## The same pages on the device
#
# The pool only keeps the books. The keys lie on the device, and we can look at them: how long the key of each token is
# in the first layer, page by page. Dark pages were never written.

# %%
import matplotlib.pyplot as plt

keys, _ = runner.cache.read(np.arange(PAGES))  # of the first layer: [pages, page, kv_heads, head_dim]
lengths = np.linalg.norm(np.asarray(keys), axis=(2, 3))

_, panel = plt.subplots(figsize=(4, 4.5), layout="constrained")
panel.imshow(lengths, aspect="auto")
panel.set(xlabel="token of the page", ylabel="page", title="length of keys, first layer")

# %% [markdown]
# Exactly those pages that the pool had handed out are written. (The last one is not full: behind the text's end is
# padding, which no query looks at.)

# %%
held_last = chat.holders[-2] > 0

assert np.array_equal(lengths.max(axis=1) > 0, held_last)

# %% [markdown]
# ## The second turn
#
# A chat's second prompt is the first one, the reply, and the new question. The engine is told nothing of chats: it
# looks up the new prompt's pages in the pool.

# %%
second_prompt = tokens_of(QUESTION, tokenizer.decode(reply), "Thank you, that was nice! Goodbye.")
second_reply = chat.serve(second_turn=second_prompt)["second_turn"]
second_turn = chat.sequences[1]

found, read = second_turn.cached_tokens, len(second_prompt) - second_turn.cached_tokens
print(f"{len(second_prompt)} tokens, {found} of them found, {read} read")
print(tokenizer.decode(second_reply))

# %% [markdown]
# Found are all whole pages of what both have in common: the first prompt, and the reply, but for its last token, which
# was written and never read.

# %%
known = prompt + tuple(reply[:-1])
common = next((n for n, pair in enumerate(zip(known, second_prompt, strict=False)) if pair[0] != pair[1]), len(known))

assert second_turn.cached_tokens == common // PAGE_SIZE * PAGE_SIZE
assert second_turn.cached_tokens >= len(prompt) // PAGE_SIZE * PAGE_SIZE

# %% [markdown]
# In the picture the second turn goes on in the first one's colour where it uses the first one's pages.

# %%
chat.draw()

# %% [markdown]
# Reuse must not change a word. Here is the second turn again, by an engine that remembers nothing. It says the same,
# and reads the whole prompt for it.


# %%
def tokens_read(watched, name):
    return sum(
        chunk.end - chunk.start for plan in watched.plans for chunk in plan.chunks if chunk.sequence.request.id == name
    )


forgetful = Watched(prefix_cache=False)

assert forgetful.serve(second_turn=second_prompt)["second_turn"] == second_reply
assert tokens_read(forgetful, "second_turn") == len(second_prompt)
assert tokens_read(chat, "second_turn") == len(second_prompt) - second_turn.cached_tokens

# %% [markdown]
# ## Two at once
#
# Two chats that begin alike share pages while both are running. The pages with a 2 have two holders.

# %%
HISTORY = "Who are you?", "I am Tradewind, a small language model that runs on this computer. I will try to help."

pair = Watched()
replies = pair.serve(
    first=tokens_of(*HISTORY, "What can you do?"), second=tokens_of(*HISTORY, "What is the capital of France?")
)

assert np.max(pair.holders) == 2
assert pair.scheduler.counters.prefix_hits > 0
pair.draw()

# %% [markdown]
# ## Tenants
#
# The digests begin with a *salt*, one for each tenant. The same prompt under another salt finds nothing, so nobody can
# learn from quick answers what others have asked.

# %%
chat.serve(again=prompt, other=prompt)
cached = {sequence.request.id: sequence.cached_tokens for sequence in chat.sequences}

assert cached["again"] > 0 and cached["other"] == 0
cached

# %% [markdown]
# ## Too few pages
#
# Three stories at once, first with pages enough.

# %%
stories = {animal: tokens_of(f"Tell me a short story about a {animal}.") for animal in ("cat", "bird", "mouse")}
roomy = Watched()
undisturbed = roomy.serve(**stories)

print("pages held at most:", max(np.count_nonzero(holders) for holders in roomy.holders))

# %% [markdown]
# Now with a pool of twelve. All three prompts fit, so all three start. When the pages run out, the request that came
# last gives back its own and waits: it is *preempted*. When there is room it reads its text again, as far as it is not
# found.

# %%
narrow = Watched(pages=12)
disturbed = narrow.serve(**stories)

assert narrow.scheduler.counters.preemptions > 0
print("preemptions:", narrow.scheduler.counters.preemptions)
narrow.draw()

# %% [markdown]
# Nobody who waits for the story can tell, except by the clock: the words are the same.

# %%
assert disturbed == undisturbed
print(tokenizer.decode(disturbed["mouse"]))

# %% [markdown]
# ## Pages by hand
#
# The engine has a Python interface without a scheduler: JetStream's Engine API. You decide what is read, what is
# shared, and who goes on. A `Prefix` is a list of pages.

# %%
from serving.engine.jetstream import JetStreamEngine

engine = JetStreamEngine(loaded, OPTIONS, EMBEDDED_MODEL, SamplingParams(max_tokens=40, temperature=0))
params = engine.load_params()
state = engine.init_decode_state()


def prefilled(tokens, existing=None):
    prefix, _ = engine.prefill(params=params, existing_prefix=existing, padded_tokens=tokens, true_length=len(tokens))
    return prefix


asked = {text: tokens_of(*HISTORY, text) for text in ("What can you do?", "What is the capital of France?")}
beginning = [a for a, b in zip(*asked.values(), strict=False) if a == b]
beginning = beginning[: len(beginning) // PAGE_SIZE * PAGE_SIZE]
shared = prefilled(beginning)

print("pages:", shared.pages)

# %% [markdown]
# Both questions continue the same prefix. Their own ends are less than a page, so they need no page yet.

# %%
prefixes = {text: prefilled(tokens[len(beginning) :], shared) for text, tokens in asked.items()}

assert all(prefix.pages[: len(shared.pages)] == shared.pages for prefix in prefixes.values())

# %% [markdown]
# `insert` gives a prefix a slot: nothing is copied, only a line of the page table is written. Then every `generate`
# draws one token for each slot.

# %%
for slot, prefix in enumerate(prefixes.values()):
    state = engine.insert(prefix, state, slot)

spoken = [[prefix.first_token] for prefix in prefixes.values()]
for _ in range(39):
    state, result = engine.generate(params, state)
    for slot, words in enumerate(spoken):
        if words[-1] not in tokenizer.eos_token_ids:
            words.append(result.get_result_at_slot(slot).tokens.item())

for text, words in zip(asked, spoken, strict=True):
    print(text, "-", tokenizer.decode(words))

# %% [markdown]
# The replies are those of the scheduler's engine above.

# %%
assert spoken == [replies["first"][: len(spoken[0])], replies["second"][: len(spoken[1])]]

# %% [markdown]
# Pages go back to the pool when nobody has them any more: when slots are freed and prefixes are dropped.

# %%
before = engine.available_pages
for slot in range(2):
    engine.free_resource(slot)
freed = engine.available_pages
del shared, prefix
prefixes.clear()

assert before < freed < engine.available_pages == PAGES
print(before, "then", freed, "then", engine.available_pages)
