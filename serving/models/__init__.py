"""Models: decoders and their checkpoints, tokenizers, chat templates."""
