"""Loggers are told and set while a broker runs (KIP-412), with kafka-configs.sh."""

from harness import Cluster, eventually


def test_a_logger_is_silenced_and_speaks_again():
    with Cluster() as cluster:
        def configs(*arguments, check=0):
            return cluster.tool(
                "kafka-configs", "--bootstrap-server", cluster.bootstrap, "--entity-type", "broker-loggers",
                "--entity-name", "0", *arguments, check=check)

        def levels():
            lines = configs("--describe").stdout.splitlines()
            return dict(line.split()[0].split("=") for line in lines if line.startswith("  "))

        before = levels()
        assert set(before.values()) == {"INFO"}
        assert {"root", "kafka.controller", "kafka.server", "kafka.log.LogCleaner"} <= set(before)

        cluster.create_topic("told")
        eventually(lambda: "saw a new topic" in cluster.brokers[0].output(), "the controller's line")
        configs("--alter", "--add-config", "kafka.controller=WARN,kafka.log=DEBUG")
        changed = levels()
        assert changed["kafka.controller"] == "WARN"
        assert changed["kafka.log"] == changed["kafka.log.LogCleaner"] == "DEBUG"
        said = cluster.brokers[0].output().count("saw a new topic")
        cluster.create_topic("untold")
        assert cluster.brokers[0].output().count("saw a new topic") == said

        configs("--alter", "--delete-config", "kafka.controller,kafka.log")
        assert levels() == before
        cluster.create_topic("told-again")
        eventually(lambda: cluster.brokers[0].output().count("saw a new topic") == said + 1, "the line again")

        unknown = configs("--alter", "--add-config", "kafka.nobody=INFO", check=None)
        assert unknown.returncode != 0
        assert "Logger kafka.nobody does not exist!" in unknown.stdout + unknown.stderr
