"""Metrics. Names are vLLM's, so that dashboards, autoscalers and routers made for it work as they are."""
