"""One text encoder in a process of its own: texts go in, vectors come out."""
