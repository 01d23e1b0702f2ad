"""The report of durable writes compares rounds with each other, and shows each target once."""

from benchmarks.clients import Latencies, Load, Sample
from benchmarks.registry import LIMIT, LITESTAR, SERVICE, TUTORIAL
from benchmarks.writes import MANY, MIXED, PARTS, READS
from benchmarks.writes_report import BASE, Samples, rate, render, targets

NONE = Latencies(0, 0, 0)


def sample(per_second: float, *, p50: float = 1000, p99: float = 4000, cpu: float = 70, failed: int = 0) -> Sample:
    """A sample in which every request writes."""
    writes = Latencies(100, p50, p99)
    return Sample(per_second=per_second, cpu=cpu, reads=NONE, writes=writes, slowest=0.3, failed=failed)


def mixed(load: Load, p99: float) -> Sample:
    """A sample of reads with this p99, with the writes of the load."""
    reads = Latencies(100 - load.writes, 1000, p99)
    return Sample(per_second=100, cpu=70, reads=reads, writes=Latencies(load.writes, 1000, 2000), slowest=1.0, failed=0)


def many() -> Samples:
    """Two rounds of 32 clients."""
    samples = Samples()
    part = PARTS[0].key
    samples[part, SERVICE.key, MANY] += [sample(230), sample(460)]
    samples[part, BASE, MANY] += [sample(100), sample(200)]
    samples[part, LIMIT.key, MANY] += [sample(115, cpu=100), sample(230, cpu=100)]
    samples[part, LITESTAR.key, MANY] += [sample(50), sample(50)]
    samples[part, TUTORIAL.key, MANY] += [sample(23), sample(115)]
    return samples


def test_a_ratio_is_the_median_of_the_ratios_in_each_round() -> None:
    """The tutorial's are 10 and 4."""
    assert many().ratio(PARTS[0], TUTORIAL.key, rate) == 7


def test_the_targets_of_many_clients() -> None:
    """All of them, each with the figure."""
    part = PARTS[0]
    assert targets(many(), part) == [
        [part.key, "writes per second, times the base's", "2.30 (≥ 2.3: pass)"],
        [part.key, "writes per second, times bare ASGI's", "2.00 (≥ 2: pass)"],
        [part.key, "writes per second, times Flask-SQLAlchemy's", "7.00 (≥ 6: pass)"],
        [part.key, "p99, times p50", "4.00 (≤ 4: pass)"],
        [part.key, "CPU per write, times bare ASGI's", "0.70 (≤ 0.7: pass)"],
        [part.key, "responses to the slowest client, times the mean", "0.30 (≥ 0.25: pass)"],
        [part.key, "errors", "0.00 (≤ 0: pass)"],
    ]


def test_the_targets_of_reads_beside_writes() -> None:
    """The p99 of reads is compared with that of reads alone."""
    samples = Samples()
    part = PARTS[3]
    samples[part.key, SERVICE.key, READS].append(mixed(READS, 1000))
    samples[part.key, SERVICE.key, MIXED].append(mixed(MIXED, 1600))
    assert targets(samples, part)[0] == [part.key, "p99 of reads, times that without writes", "1.60 (≤ 1.5: **miss**)"]


def test_the_report_has_a_row_for_each_contestant() -> None:
    """With the unit of the column."""
    contestants = {
        SERVICE.key: SERVICE,
        BASE: SERVICE,
        LIMIT.key: LIMIT,
        LITESTAR.key: LITESTAR,
        TUTORIAL.key: TUTORIAL,
    }
    text = render(many(), PARTS[:1], contestants, "", rounds=2, seconds=3)
    assert "| Litestar | 50 | 1.00 | 4.00 | 4.0 | 70 | 0.30 | 0 |" in text.splitlines()
