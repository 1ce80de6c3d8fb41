"""The cut between a pod and all others, in namespaces made for this test; needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from chaosblink.agent.partition import Partition, Uplink
from chaosblink.waiting import until

HERE, THERE = "198.19.77.1", "198.19.77.2"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft"), reason="a network namespace needs root, a cut needs nft"
)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def pod() -> Iterator[int]:
    """A process in a network namespace, with a link to a second one that plays the rest of the cluster."""
    names = [f"cut-{os.getpid()}-{side}" for side in ("pod", "rest")]
    for name in names:
        _ip("netns", "add", name)
    _ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
    for name, address in zip(names, (HERE, THERE), strict=True):
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", name, "link", "set", link, "up")
    main = subprocess.Popen(["ip", "netns", "exec", names[0], "sleep", "60"])
    inode = os.stat(f"/run/netns/{names[0]}").st_ino  # noqa: PTH116
    until(lambda: os.stat(f"/proc/{main.pid}/ns/net").st_ino == inode, 5, "it is inside", every=0.01)  # noqa: PTH116
    yield main.pid
    main.kill()
    main.wait()
    for name in names:
        _ip("netns", "delete", name)


def _reaches(pid: int, address: str) -> bool:
    """Whether a packet comes back: a closed port refuses at once, a cut lets it time out."""
    probe = "import socket,sys; s=socket.socket(); s.settimeout(1); sys.exit(s.connect_ex((sys.argv[1], 9)) != 111)"
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", probe, address]
    return subprocess.run(command, check=False).returncode == 0


def test_a_cut_counts_what_it_drops_and_is_mended(pod: int) -> None:
    partition = Partition(spared=list)
    assert partition.dropped(pod) is None
    assert _reaches(pod, THERE)
    partition.cut(pod, inbound=True, outbound=True)
    before = partition.dropped(pod)  # the kernel itself may have said something by IPv6 already
    assert before is not None
    assert not _reaches(pod, THERE)
    assert _reaches(pod, HERE)  # itself
    assert (partition.dropped(pod) or 0) > before
    partition.mend(pod)
    assert partition.dropped(pod) is None
    assert _reaches(pod, THERE)
    partition.mend(pod)


def test_the_kubelet_goes_on_probing_a_pod_that_is_cut_off(pod: int) -> None:
    partition = Partition(spared=lambda: [THERE, "fe80::1"])
    partition.cut(pod, inbound=True, outbound=True)
    assert _reaches(pod, THERE)
    partition.mend(pod)


def test_a_cut_can_be_one_way(pod: int) -> None:
    partition = Partition(spared=list)
    partition.cut(pod, inbound=False, outbound=True)
    assert not _reaches(pod, THERE)
    assert (partition.dropped(pod) or 0) > 0
    partition.mend(pod)


def test_the_runs_own_clients_are_spared_when_they_are_named(pod: int) -> None:
    partition = Partition(spared=list)
    partition.cut(pod, inbound=True, outbound=True, also_spared=[THERE])
    assert _reaches(pod, THERE)
    partition.cut(pod, inbound=True, outbound=True)
    assert not _reaches(pod, THERE)


@pytest.mark.parametrize("way", ["inbound", "outbound"])
def test_a_node_is_cut_off_at_its_uplink_and_its_own_addresses_are_not(pod: int, way: str) -> None:
    uplink = Uplink()
    assert uplink.dropped(pod) is None
    uplink.cut(pod, inbound=way == "inbound", outbound=way == "outbound")
    before = uplink.dropped(pod)
    assert before is not None  # the kernel itself may have sent something meanwhile
    assert not _reaches(pod, THERE)
    assert _reaches(pod, HERE)
    assert (uplink.dropped(pod) or 0) > before
    uplink.mend(pod)
    assert uplink.dropped(pod) is None
    assert _reaches(pod, THERE)
    uplink.mend(pod)
