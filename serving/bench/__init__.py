"""`tradewind bench`: a load generator for any server that speaks OpenAI's protocol. It knows servers by HTTP alone."""
