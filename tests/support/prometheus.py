"""Reading a page of metrics as Prometheus would."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def samples(text):
    """Every sample of shopflow's, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("shopflow_"):
                key = (sample.name.removeprefix("shopflow_"), *sorted(sample.labels.items()))
                assert key not in found, f"told twice: {key}"
                found[key] = sample.value
    return found


def value(text, name, **labels):
    """The value of one sample; None when there is none."""
    return samples(text).get((name, *sorted(labels.items())))
