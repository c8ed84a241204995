import pytest

from harness import Cluster


@pytest.fixture(scope="session")
def cluster():
    """One coordinator and one broker that many tests share; each uses topics of its own."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def three_brokers():
    with Cluster(brokers=3) as cluster:
        yield cluster
