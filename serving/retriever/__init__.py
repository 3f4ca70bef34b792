"""Documents and searches in a process of their own: `retrieval` behind gRPC."""
