"""How the embedded model is made: corpus, tokenizer, training, evaluation and export. See docs/training.md."""
