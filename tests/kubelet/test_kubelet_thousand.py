from __future__ import annotations

from collections import Counter


def test_a_thousand_pods_all_end_in_four_events_each(api, start_kubelet):
    start_kubelet(slots=8)
    names = [f"p{place}" for place in range(1000)]
    for place, name in enumerate(names):
        api.create(name, ["true"])
        if place % 250 == 100:
            api.close_watches()

    api.wait(lambda api: all(api.phase(name) == "Succeeded" for name in names), 300)

    assert Counter(pod["metadata"]["name"] for _, _, pod in api.events) == dict.fromkeys(names, 4)
