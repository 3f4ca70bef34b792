# %% [markdown]
# # Sharding from zero
#
# A model that is too large or too slow for one accelerator is cut into parts, and several devices hold a part each.
# This notebook shows who holds what: first of one small array, then of a whole language model.
#
# You need no accelerator. JAX can make this machine's CPU look like eight devices, and everything here is what JAX
# would do on eight real ones.

# %% [markdown]
# ## Eight devices
#
# These lines must run before JAX is asked for anything else.

# %%
import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

assert len(jax.devices()) == 8
jax.devices()

# %% [markdown]
# ## An array on one device
#
# An array lies on the first device unless we say otherwise. JAX can draw that.

# %%
import jax.numpy as jnp
from jax.debug import visualize_array_sharding

x = jnp.arange(64.0).reshape(8, 8)

assert len(x.devices()) == 1
visualize_array_sharding(x)

# %% [markdown]
# ## A mesh
#
# A *mesh* puts devices in rows and columns, and gives both directions a name. The names are ours to choose.

# %%
import numpy as np
from jax.sharding import Mesh

mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("down", "across"))

print(np.vectorize(lambda device: device.id)(mesh.devices))

# %% [markdown]
# ## A sharding
#
# A *partition spec* has one entry for each dimension of an array: the mesh axis along which that dimension is cut, or
# `None` where it stays whole. Mesh and spec together are a *sharding*. `device_put` lays an array out as a sharding
# says.

# %%
from jax.sharding import NamedSharding, PartitionSpec

along_both = jax.device_put(x, NamedSharding(mesh, PartitionSpec("down", "across")))

assert along_both.addressable_shards[0].data.shape == (4, 2)
visualize_array_sharding(along_both)

# %% [markdown]
# It is still one array. Every device holds a block of 4 x 2, and you can go on using all of it.

# %%
assert along_both.sum() == x.sum()
along_both[3, 5], x[3, 5]

# %% [markdown]
# ## Four ways to lay out the same array
#
# What is not cut along a mesh axis is *repeated* along it. The numbers in a block are the devices that hold it.

# %%
import pictures


def laid_out(*cuts):
    return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*cuts)))


ways = {
    "nothing cut": laid_out(),
    "rows cut down": laid_out("down"),
    "columns cut across": laid_out(None, "across"),
    "both": laid_out("down", "across"),
}
pictures.who_holds(ways)

# %% [markdown]
# Repeating costs memory: this is what each device holds of the array's 256 bytes.

# %%
held = {way: array.addressable_shards[0].data.nbytes for way, array in ways.items()}

assert list(held.values()) == [256, 128, 64, 32]
pictures.bars({"bytes a device": held})

# %% [markdown]
# ## Computing with parts: cut where the result is wide
#
# Take the product `x @ w`, and let `w` be cut by columns. Every device can make its columns of the result alone.

# %%
line = Mesh(np.array(jax.devices()), ("tensor",))


def on_line(array, *cuts):
    return jax.device_put(array, NamedSharding(line, PartitionSpec(*cuts)))


x_whole = on_line(x)
w_columns = on_line(x.T / 64, None, "tensor")
product = jax.jit(lambda x, w: x @ w)
y = product(x_whole, w_columns)

pictures.who_holds({"x": x_whole, "w, cut by columns": w_columns, "x @ w": y})

# %% [markdown]
# Nobody asked for this layout of the result. The compiler found it, and it is the one that needs no talk between
# devices. Talk is what we can count: `collectives` reads the compiled program and lists every exchange in it.

# %%
from sharding.collectives import collectives

compiled = product.lower(x_whole, w_columns).compile()

assert collectives(compiled.as_text()) == []

# %% [markdown]
# ## Cut where the product sums, and devices must talk
#
# Now `x` is cut by columns and `w` by rows. Each device has a share of every sum, and the shares must be added up: an
# *all-reduce*.

# %%
x_columns = on_line(x, None, "tensor")
w_rows = on_line(x.T / 64, "tensor", None)
whole = NamedSharding(line, PartitionSpec())
summing = jax.jit(lambda x, w: x @ w, out_shardings=whole)

pictures.who_holds({"x, cut by columns": x_columns, "w, cut by rows": w_rows, "x @ w": summing(x_columns, w_rows)})

# %%
found = collectives(summing.lower(x_columns, w_rows).compile().as_text())

assert [one.kind for one in found] == ["all-reduce"]
assert found[0].bytes == x.nbytes
found

# %% [markdown]
# ## The trick of tensor parallelism
#
# The two ways fit together. Cut the first matrix by columns and the second by rows, and what lies between them never
# has to be put together. Two products and everything between them need a single all-reduce (Megatron-LM, arXiv
# 1909.08053).


# %%
@jax.jit
def two_products(x, first, second):
    hidden = jax.nn.relu(x @ first)
    return jax.lax.with_sharding_constraint(hidden @ second, whole)


found = collectives(two_products.lower(x_whole, w_columns, w_rows).compile().as_text())

assert [one.kind for one in found] == ["all-reduce"]
np.testing.assert_allclose(two_products(x_whole, w_columns, w_rows), jax.nn.relu(x @ x.T / 64) @ x.T / 64, rtol=1e-5)

# %% [markdown]
# ## Names instead of cuts
#
# A model has hundreds of matrices. Nobody wants to write a partition spec for each, and write them all again for the
# next mesh. So the model only says what its dimensions *are*: `embed`, `heads`, `mlp`, `vocab` and a few more. One
# table of *rules* says along which mesh axis each of these names is cut.

# %%
from sharding.rules import Rules

for name, mesh_axes in Rules().table.items():
    print(f"{name:9} {' and '.join(mesh_axes) or '-'}")

# %% [markdown]
# With the table, names become a partition spec. This is a query projection: from the model's width to its heads.

# %%
spec = Rules().spec(("embed", "heads"))

assert spec == PartitionSpec(None, "tensor")
spec

# %% [markdown]
# ## A decoder
#
# A language model like the big ones, only small. Its weights carry the names of their dimensions.

# %%
from flax import nnx

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder

config = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=4, heads=8, kv_heads=2, head_dim=8, mlp_size=64, max_position=128
)
weights = nnx.state(Decoder(config, rngs=nnx.Rngs(0)))

# %%
from sharding.layout import logical_axes


def first_layer(weights):
    """Names to arrays and the names of their dimensions; of all the layers only the first."""
    found = {}
    for path, variable in nnx.to_flat_state(weights):
        if path[0] != "layers" or path[1] == 0:
            array, axes = variable.get_value(), logical_axes(variable)
            stages = ("layers",) * (array.ndim - len(axes))  # pipelined layers have one axis more: see below
            found[".".join(map(str, path))] = array, stages + axes
    return found


for name, (array, axes) in first_layer(weights).items():
    print(f"{name:32} {array.shape!s:10} {', '.join(axes)}")

# %% [markdown]
# ## The decoder on a mesh
#
# A *layout* joins the model, a mesh and the rules. `tensor=8` means eight devices along the axis `tensor`.

# %%
from sharding.layout import Layout
from sharding.mesh import MeshSpec


def layout_of(mesh, rules=None):
    return Layout.plan(config, MeshSpec.parse(mesh), rules or Rules(), jax.devices())


tensor_parallel = layout_of("tensor=8")
placed = tensor_parallel.distribute(weights)

pictures.parameter_map(first_layer(placed))

# %% [markdown]
# Look at `query` and `out`: one is cut by columns, the other by rows. So are `gate`, `up` and `down`. That is the
# trick from above, once for the attention and once for the MLP of every layer. The norms are tiny and whole
# everywhere.
#
# `heads 0:8` counts columns, and a head has eight of them: device 0 has the first head.
#
# The same query projection, as JAX draws it:

# %%
query = placed["layers"][0]["attention"]["query"]["kernel"].get_value()

assert query.sharding.spec == PartitionSpec(None, "tensor")
visualize_array_sharding(query)

# %% [markdown]
# ## Too few heads
#
# This model has 8 query heads, but only 2 key/value heads, which cannot be cut into 8. Each of them is needed by the
# devices that hold its query heads, so each is held four times. The layout says so, and what it costs.

# %%
assert tensor_parallel.kv_repeats == 4
assert placed["layers"][0]["attention"]["key"]["kernel"].get_value().shape == (32, 8 * config.head_dim)
print(*tensor_parallel.notes, sep="\n")

# %% [markdown]
# ## Two axes
#
# `pipeline=2,tensor=4`: the layers are dealt out to two groups of four devices, and each group cuts its layers in
# four. A parameter of a layer gets one more dimension in front: entry 0 is of layer 0, entry 1 of layer 2, the second
# group's first.

# %%
two_axes = layout_of("pipeline=2,tensor=4")

pictures.parameter_map(first_layer(two_axes.distribute(weights)))

# %% [markdown]
# ## Keys and values lie with their heads
#
# While a model writes, it keeps keys and values of all the text so far, in pages. They are cut as the heads and layers
# are, so attention needs no talk at all. Rows are the pages of all layers, columns are the heads.

# %%
pages = 6
one_number_each = jnp.zeros((config.layers * pages, two_axes.config.kv_heads))
cache = jax.device_put(one_number_each, two_axes.sharding((("layers", "pages"), "kv_heads")))

assert cache.addressable_shards[0].data.shape == (2 * pages, 1)
pictures.who_holds({"keys, by page and head": cache})

# %% [markdown]
# ## Changing one line
#
# The rules are meant to be changed. Here is one line of a rules file, which the engine takes as `--sharding-rules
# FILE`: the vocabulary is not to be cut.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "rules.toml"
    file.write_text("vocab = []")
    rules = Rules.from_file(file)

whole_vocabulary = layout_of("tensor=8", rules)
placed_whole = whole_vocabulary.distribute(weights)

pictures.parameter_map(first_layer(placed_whole))

# %% [markdown]
# `embed` and `head` are whole now, on every device. That takes more memory.


# %%
def bytes_on_first_device(weights):
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(weights))


held = {
    'vocab = ["tensor"]': bytes_on_first_device(placed),
    "vocab = []": bytes_on_first_device(placed_whole),
}
tables = 2 * config.vocab_size * config.hidden_size * 4

assert held["vocab = []"] - held['vocab = ["tensor"]'] == tables - tables // 8
pictures.bars({"bytes a device": held})

# %% [markdown]
# What do we get for it? The scores of the next token are there at once on every device. With the vocabulary cut, each
# device has the scores of some tokens, and they must be gathered.


# %%
def scores(layout, weights):
    """The program for the scores of one token everywhere, and what it needs."""
    graph = nnx.graphdef(nnx.eval_shape(lambda: Decoder(layout.config, rngs=nnx.Rngs(0))))
    hidden = jax.device_put(jnp.ones((1, config.hidden_size)), layout.replicated)
    program = jax.jit(lambda w, x: nnx.merge(graph, w).logits(x), out_shardings=layout.replicated)
    return program, weights, hidden


program, *inputs = scores(tensor_parallel, placed)
program_whole, *inputs_whole = scores(whole_vocabulary, placed_whole)
gathering = collectives(program.lower(*inputs).compile().as_text())

assert [one.kind for one in gathering] == ["all-gather"]
assert collectives(program_whole.lower(*inputs_whole).compile().as_text()) == []
gathering

# %% [markdown]
# The numbers are the same. A rule changes where things lie, and never what comes out.

# %%
np.testing.assert_allclose(program(*inputs), program_whole(*inputs_whole), rtol=1e-5, atol=1e-6)

# %% [markdown]
# ## What cannot work is refused
#
# Not every mesh fits every model. A layout that cannot work is refused before anything is loaded, with the arithmetic.

# %%
from sharding.mesh import ShardingError


def refusal(mesh, **lines):
    try:
        layout_of(mesh, Rules().replace(lines))
    except ShardingError as error:
        return str(error)
    raise AssertionError("this works")


message = refusal("tensor=3")

assert "num_attention_heads is 8" in message and "8 = 3 x 2 + 2" in message
print(message)

# %% [markdown]
# Four layers make no three stages.

# %%
message = refusal("pipeline=3")

assert "num_hidden_layers is 4" in message and "4 = 3 x 1 + 1" in message
print(message)

# %% [markdown]
# More devices than there are.

# %%
message = refusal("pipeline=2,tensor=8")

assert "2 x 8 = 16 devices; there are 8" in message
print(message)

# %% [markdown]
# Devices that would all compute the same: this model has no experts to share out.

# %%
message = refusal("expert=2,tensor=4")

assert "this model has no experts" in message
print(message)

# %% [markdown]
# Rules that do not fit each other: query heads must lie where the keys and values are that they read.

# %%
message = refusal("tensor=2", heads=[])

assert "both rules must be alike" in message
print(message)

# %% [markdown]
# ## Experts
#
# In a mixture of experts each token is sent to a few of many MLPs. The axis `expert` deals these out; `tensor` may cut
# each of them as well.

# %%
import dataclasses

from serving.models.config import ExpertsConfig

mixture = dataclasses.replace(
    config, kv_heads=8, experts=ExpertsConfig(count=4, per_token=2, mlp_size=32, normalised=True)
)
expert_layout = Layout.plan(mixture, MeshSpec.parse("expert=4,tensor=2"), Rules(), jax.devices())
placed_experts = expert_layout.distribute(nnx.state(Decoder(mixture, rngs=nnx.Rngs(0))))

pictures.parameter_map({name: part for name, part in first_layer(placed_experts).items() if ".mlp." in name})

# %% [markdown]
# ## Your turn
#
# Change the mesh or a line of the rules, and run the cell again. Cutting the vocabulary along both axes, for example,
# leaves no device without a part of it.

# %%
mesh_text, lines = "pipeline=2,tensor=4", {"vocab": ["pipeline", "tensor"]}

yours = layout_of(mesh_text, Rules().replace(lines))
pictures.parameter_map(first_layer(yours.distribute(weights)))
