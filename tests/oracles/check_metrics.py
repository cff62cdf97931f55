"""Prometheus' own reader of its text format, as an oracle for coordinator/metrics.

check_metrics.py URL     scrapes URL and prints each sample, "NAME{LABEL=VALUE,...} NUMBER", by name; exit 1 and the reason when
                         the answer is not what a Prometheus server takes
"""

import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def check(family):
    assert family.documentation, f"{family.name} has no help"
    assert family.type in ("counter", "gauge", "histogram"), f"{family.name} is a {family.type}"
    assert family.name.startswith("etude_"), family.name
    names = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
    assert len(names) == len(set(names)), f"{family.name} has a series twice"
    if family.type == "histogram":
        buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
        counts = [bucket.value for bucket in buckets]
        count = next(sample.value for sample in family.samples if sample.name.endswith("_count"))
        assert counts == sorted(counts), f"{family.name} is not cumulative"
        assert buckets[-1].labels["le"] == "+Inf" and counts[-1] == count, f"{family.name} lacks +Inf"


def main(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = answer.read().decode("utf-8")
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "a family is there twice"
    for family in sorted(families, key=lambda family: family.name):
        check(family)
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            print(f"{sample.name}{{{labels}}} {sample.value:g}")


if __name__ == "__main__":
    main(sys.argv[1])
