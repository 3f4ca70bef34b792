"""`tradewind plan`: whether a model fits a topology, how fast it can be there at most, and what would do for less."""
