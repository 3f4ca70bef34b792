"""How a model lies over several devices: meshes, rules from logical to mesh axes, layouts, and what they cost."""
