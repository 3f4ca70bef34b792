from prometheus_client import CollectorRegistry

from serving.encoder.request import EncoderStats
from serving.telemetry.embeddings import EncoderCollector


def test_the_encoder_s_stats_are_read_when_asked_for():
    registry, stats = CollectorRegistry(), [EncoderStats(waiting=3, batches=2, texts=8, tokens=90, padding=6)]
    registry.register(EncoderCollector("m", lambda: stats[0]))

    def value(name: str) -> float:
        return registry.get_sample_value(f"tradewind:{name}", {"model_name": "m"})

    assert [value(name) for name in ("encoder_texts_waiting", "encoder_batches_total")] == [3, 2]
    assert [value(name) for name in ("encoder_tokens_total", "encoder_padding_total")] == [90, 6]
    stats[0] = EncoderStats()
    assert value("encoder_texts_waiting") == 0
