"""`tradewind ingest`: documents of a folder or a bucket into a collection of a running server."""
