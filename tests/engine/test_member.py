"""Who a process of a replica over several hosts is, read from flags, and who may follow whom."""

from dataclasses import replace

import pytest

from serving.engine.member import Member, ProcessGroup, ProcessGroupError, load_misfit
from serving.engine.options import EngineOptions
from serving.engine.request import EngineDescription

LOADED = EngineDescription("tiny", 128, 32000, 4, 16, 32, "float32", "cpu", "f00d", (2,))


@pytest.mark.parametrize(
    ("coordinator", "listen", "leader"),
    [
        ("host0:8482", "0.0.0.0:9100", "host0:9100"),
        ("10.0.0.1:1", "[::]:65535", "10.0.0.1:65535"),
        ("[fe80::1]:8482", "0.0.0.0:9100", "[fe80::1]:9100"),
        ("127.0.0.1:8482", "unix:/tmp/engine.sock", "unix:/tmp/engine.sock"),
    ],
)
def test_followers_find_the_leader_at_the_coordinator_s_host(coordinator, listen, leader):
    assert ProcessGroup.parse(coordinator, "1/2", listen) == ProcessGroup(1, 2, coordinator, leader)


@pytest.mark.parametrize("process", ["2/2", "1", "1/", "/2", "-1/2", "0/0", "a/2", "1/2/3", " 1/2", "²/3"])
def test_a_number_that_is_none_of_the_processes_is_refused(process):
    with pytest.raises(ProcessGroupError, match=r"accepted is I/N: .* from 0 to N-1, of N processes") as refused:
        ProcessGroup.parse("host0:8482", process, "0.0.0.0:9100")
    assert repr(process) in str(refused.value)


@pytest.mark.parametrize("coordinator", ["host0", "host0:", ":8482", "host0:0", "host0:70000", "host0:http"])
def test_a_coordinator_without_host_and_port_is_refused(coordinator):
    with pytest.raises(ProcessGroupError, match=f"--coordinator is '{coordinator}'; accepted is HOST:PORT"):
        ProcessGroup.parse(coordinator, "0/2", "0.0.0.0:9100")


def test_a_port_that_followers_cannot_know_is_refused():
    with pytest.raises(ProcessGroupError, match="--listen is '0.0.0.0:0'; .* a port from 1 to 65535"):
        ProcessGroup.parse("host0:8482", "0/2", "0.0.0.0:0")


@pytest.mark.parametrize(("coordinator", "process"), [("host0:8482", ""), ("", "0/2")])
def test_one_flag_without_the_other_is_refused(coordinator, process):
    with pytest.raises(ProcessGroupError, match="--coordinator host0:8482 --process 0/2"):
        ProcessGroup.parse(coordinator, process, "0.0.0.0:9100")


def member(process: int, **options) -> Member:
    group = ProcessGroup(process, 3, "host0:8482", "host0:9100")
    return replace(Member.of(group, EngineOptions(**options)), host=f"host{process}")


def test_processes_of_one_replica_fit_though_their_hosts_differ():
    own = member(2, compile_threads=8, compilation_cache_dir="/var/cache", kv_memory=1e9)
    assert own.misfit(member(0)) == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"process": 0}, "process 0/3 (host host1) is not of this replica, whose followers are 1/3, 2/3"),
        ({"process": 3}, "process 3/3 (host host1) is not of this replica, whose followers are 1/3, 2/3"),
        ({"processes": 2}, "process 1/2 (host host1) is not of this replica, whose followers are 1/3, 2/3"),
        ({"version": "0.0.1"}, "process 1/3 (host host1) runs version 0.0.1, the leader "),
    ],
)
def test_others_do_not_fit(changes, expected):
    assert replace(member(1), **changes).misfit(member(0)).startswith(expected)


def test_differing_options_are_named():
    assert member(1, max_rows=8, dtype="bfloat16").misfit(member(0)) == (
        "process 1/3 (host host1) was started with dtype bfloat16 (the leader: auto), max_rows 8 (the leader: 64); "
        "all processes take the same options"
    )


def test_other_weights_or_pages_are_named_and_another_folder_is_none():
    assert load_misfit(replace(LOADED, model="copy-of-tiny"), LOADED) == ""
    assert load_misfit(replace(LOADED, pages=31, fingerprint="beef"), LOADED) == (
        "fingerprint beef (the leader: f00d), pages 31 (the leader: 32)"
    )
