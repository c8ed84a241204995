import Configuration

/// Kafka's broker keys that this broker understands and has no use for (yet, or ever): a file that works there works
/// here, and
/// DescribeConfigs shows them. One line a key: name, type, default (`-` empty, `null` unset), allowed, importance, who
/// may change it.
enum InertKeys {
    static let all: [any AnyConfigKey] = table.split(separator: "\n").compactMap(key)

    private static func key(_ line: Substring) -> (any AnyConfigKey)? {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 6 else { return nil }
        let (name, allowed) = (words[0], words[3])
        let value: String? = words[2] == "null" ? nil : words[2] == "-" ? "" : words[2]
        let importance: ConfigImportance = words[4] == "high" ? .high : words[4] == "low" ? .low : .medium
        let changes: ConfigChange =
            words[5] == "per-broker" ? .perBroker : words[5] == "cluster-wide" ? .clusterWide : .atStart
        let summary = "Understood; it changes nothing here."
        func optional<V>(_ key: ConfigKey<V>) -> any AnyConfigKey { value == nil ? key.unsetByDefault : key }
        switch words[1] {
        case "boolean":
            return optional(
                ConfigKey<Bool>(name, default: value == "true", importance: importance, changes: changes, summary))
        case "int", "long", "short":
            let type: ConfigType = words[1] == "int" ? .int : words[1] == "long" ? .long : .short
            let ends = allowed.components(separatedBy: "...")
            let range: (any ConfigRange<Int>)?
            switch (ends.first.flatMap { Int($0) }, ends.count > 1 ? Int(ends[1]) : nil) {
            case (let low?, let high?): range = low...max(low, high)
            case (let low?, nil): range = low...
            default: range = nil
            }
            return optional(
                ConfigKey<Int>(
                    name, type: type, default: value.flatMap { Int($0) } ?? 0, allowed: range, importance: importance,
                    changes: changes, summary))
        case "double":
            return optional(
                ConfigKey<Double>(
                    name, default: value.flatMap { Double($0) } ?? 0, importance: importance, changes: changes, summary)
            )
        case "list":
            let choices = allowed == "-" ? [] : allowed.split(separator: "|").map(String.init)
            return optional(
                ConfigKey<[String]>(
                    name, default: configList(value ?? ""), oneOf: choices, importance: importance, changes: changes,
                    summary))
        default:
            let type: ConfigType = words[1] == "class" ? .class : words[1] == "password" ? .password : .string
            let choices =
                allowed == "-" || allowed.contains("...") ? [] : allowed.split(separator: "|").map(String.init)
            return optional(
                ConfigKey<String>(
                    name, type: type, default: value ?? "", oneOf: choices, importance: importance, changes: changes,
                    summary))
        }
    }

    private static let table = """
        alter.config.policy.class.name class null - low read-only
        alter.log.dirs.replication.quota.window.num int 11 1... low read-only
        alter.log.dirs.replication.quota.window.size.seconds int 1 1... low read-only
        authorizer.class.name string - - low read-only
        auto.include.jmx.reporter boolean true - low read-only
        background.threads int 10 1... high cluster-wide
        broker.heartbeat.interval.ms int 2000 - medium read-only
        broker.session.timeout.ms int 9000 - medium read-only
        client.quota.callback.class class null - low read-only
        connection.failed.authentication.delay.ms int 100 0... low read-only
        connections.max.reauth.ms long 0 - medium read-only
        control.plane.listener.name string null - high read-only
        controller.listener.names string null - high read-only
        controller.quorum.append.linger.ms int 25 - medium read-only
        controller.quorum.bootstrap.servers list - - high read-only
        controller.quorum.election.backoff.max.ms int 1000 - high read-only
        controller.quorum.election.timeout.ms int 1000 - high read-only
        controller.quorum.fetch.timeout.ms int 2000 - high read-only
        controller.quorum.request.timeout.ms int 2000 - medium read-only
        controller.quorum.retry.backoff.ms int 20 - low read-only
        controller.quorum.voters list - - high read-only
        controller.quota.window.num int 11 1... low read-only
        controller.quota.window.size.seconds int 1 1... low read-only
        create.topic.policy.class.name class null - low read-only
        delegation.token.expiry.check.interval.ms long 3600000 1... low read-only
        delegation.token.expiry.time.ms long 86400000 1... medium read-only
        delegation.token.master.key password null - medium read-only
        delegation.token.max.lifetime.ms long 604800000 1... medium read-only
        delegation.token.secret.key password null - medium read-only
        delete.records.purgatory.purge.interval.requests int 1 - medium read-only
        early.start.listeners string null - high read-only
        eligible.leader.replicas.enable boolean false - high read-only
        fetch.purgatory.purge.interval.requests int 1000 - medium read-only
        group.consumer.assignors list org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.kafka.coordinator.group.assignor.RangeAssignor - medium read-only
        group.consumer.heartbeat.interval.ms int 5000 1... medium read-only
        group.consumer.max.heartbeat.interval.ms int 15000 1... medium read-only
        group.consumer.max.session.timeout.ms int 60000 1... medium read-only
        group.consumer.max.size int 2147483647 1... medium read-only
        group.consumer.migration.policy string disabled - medium read-only
        group.consumer.min.heartbeat.interval.ms int 5000 1... medium read-only
        group.consumer.min.session.timeout.ms int 45000 1... medium read-only
        group.consumer.session.timeout.ms int 45000 1... medium read-only
        group.coordinator.append.linger.ms int 10 0... medium read-only
        group.coordinator.new.enable boolean false - medium read-only
        group.coordinator.rebalance.protocols list classic consumer|classic|share|unknown medium read-only
        group.coordinator.threads int 1 1... medium read-only
        group.share.delivery.count.limit int 5 2...10 medium read-only
        group.share.enable boolean false - medium read-only
        group.share.heartbeat.interval.ms int 5000 1... medium read-only
        group.share.max.groups short 10 1...100 medium read-only
        group.share.max.heartbeat.interval.ms int 15000 1... medium read-only
        group.share.max.record.lock.duration.ms int 60000 30000...3600000 medium read-only
        group.share.max.session.timeout.ms int 60000 1... medium read-only
        group.share.max.size short 200 10...1000 medium read-only
        group.share.min.heartbeat.interval.ms int 5000 1... medium read-only
        group.share.min.record.lock.duration.ms int 15000 1000...30000 medium read-only
        group.share.min.session.timeout.ms int 45000 1... medium read-only
        group.share.partition.max.record.locks int 200 100...10000 medium read-only
        group.share.record.lock.duration.ms int 30000 1000...60000 medium read-only
        group.share.session.timeout.ms int 45000 1... medium read-only
        initial.broker.registration.timeout.ms int 60000 - medium read-only
        inter.broker.protocol.version string 3.9-IV0 - medium read-only
        kafka.metrics.polling.interval.secs int 10 1... low read-only
        kafka.metrics.reporters list - - low read-only
        log.dir.failure.timeout.ms long 30000 1... low read-only
        log.flush.start.offset.checkpoint.interval.ms int 60000 0... high read-only
        log.initial.task.delay.ms long 30000 0... low read-only
        log.local.retention.bytes long -2 -2... medium cluster-wide
        log.local.retention.ms long -2 -2... medium cluster-wide
        log.message.format.version string 3.0-IV1 - medium read-only
        log.preallocate boolean false - medium cluster-wide
        max.connection.creation.rate int 2147483647 0... medium cluster-wide
        max.connections int 2147483647 0... medium cluster-wide
        max.connections.per.ip int 2147483647 0... medium cluster-wide
        max.connections.per.ip.overrides string - - medium cluster-wide
        max.request.partition.size.limit int 2000 1... medium read-only
        metadata.log.dir string null - high read-only
        metadata.log.max.record.bytes.between.snapshots long 20971520 1... high read-only
        metadata.log.max.snapshot.interval.ms long 3600000 0... high read-only
        metadata.log.segment.bytes int 1073741824 12... high read-only
        metadata.log.segment.min.bytes int 8388608 12... high read-only
        metadata.log.segment.ms long 604800000 - high read-only
        metadata.max.idle.interval.ms int 500 0... low read-only
        metadata.max.retention.bytes long 104857600 - high read-only
        metadata.max.retention.ms long 604800000 - high read-only
        metric.reporters list - - low cluster-wide
        metrics.num.samples int 2 1... low read-only
        metrics.recording.level string INFO - low read-only
        metrics.sample.window.ms long 30000 1... low read-only
        node.id int -1 - high read-only
        num.io.threads int 8 1... high cluster-wide
        num.network.threads int 3 1... high cluster-wide
        num.recovery.threads.per.data.dir int 1 1... high cluster-wide
        num.replica.alter.log.dirs.threads int null - high read-only
        num.replica.fetchers int 1 - high cluster-wide
        offsets.commit.required.acks short -1 - high read-only
        offsets.load.buffer.size int 5242880 1... high read-only
        offsets.topic.compression.codec int 0 - high read-only
        offsets.topic.num.partitions int 50 1... high read-only
        offsets.topic.replication.factor short 3 1... high read-only
        offsets.topic.segment.bytes int 104857600 1... high read-only
        password.encoder.cipher.algorithm string AES/CBC/PKCS5Padding - low read-only
        password.encoder.iterations int 4096 1024... low read-only
        password.encoder.key.length int 128 8... low read-only
        password.encoder.keyfactory.algorithm string null - low read-only
        password.encoder.old.secret password null - medium read-only
        password.encoder.secret password null - medium read-only
        principal.builder.class class org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder - medium per-broker
        process.roles list - broker|controller high read-only
        producer.id.expiration.check.interval.ms int 600000 1... low read-only
        producer.purgatory.purge.interval.requests int 1000 - medium read-only
        queued.max.request.bytes long -1 - medium read-only
        queued.max.requests int 500 1... high read-only
        quota.window.num int 11 1... low read-only
        quota.window.size.seconds int 1 1... low read-only
        remote.fetch.max.wait.ms int 500 1... medium cluster-wide
        remote.log.index.file.cache.total.size.bytes long 1073741824 1... low cluster-wide
        remote.log.manager.copier.thread.pool.size int -1 - medium read-only
        remote.log.manager.copy.max.bytes.per.second long 9223372036854775807 1... medium cluster-wide
        remote.log.manager.copy.quota.window.num int 11 1... medium read-only
        remote.log.manager.copy.quota.window.size.seconds int 1 1... medium read-only
        remote.log.manager.expiration.thread.pool.size int -1 - medium read-only
        remote.log.manager.fetch.max.bytes.per.second long 9223372036854775807 1... medium cluster-wide
        remote.log.manager.fetch.quota.window.num int 11 1... medium read-only
        remote.log.manager.fetch.quota.window.size.seconds int 1 1... medium read-only
        remote.log.manager.task.interval.ms long 30000 1... low read-only
        remote.log.manager.task.retry.backoff.max.ms long 30000 1... low read-only
        remote.log.manager.task.retry.backoff.ms long 500 1... low read-only
        remote.log.manager.task.retry.jitter double 0.2 0...0.5 low read-only
        remote.log.manager.thread.pool.size int 10 1... medium read-only
        remote.log.metadata.custom.metadata.max.bytes int 128 0... low read-only
        remote.log.metadata.manager.class.name string org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager - medium read-only
        remote.log.metadata.manager.class.path string null - medium read-only
        remote.log.metadata.manager.impl.prefix string rlmm.config. - medium read-only
        remote.log.metadata.manager.listener.name string null - medium read-only
        remote.log.reader.max.pending.tasks int 100 1... medium read-only
        remote.log.reader.threads int 10 1... medium read-only
        remote.log.storage.manager.class.name string null - medium read-only
        remote.log.storage.manager.class.path string null - medium read-only
        remote.log.storage.manager.impl.prefix string rsm.config. - medium read-only
        remote.log.storage.system.enable boolean false - medium read-only
        replica.socket.receive.buffer.bytes int 65536 - high read-only
        replication.quota.window.num int 11 1... low read-only
        replication.quota.window.size.seconds int 1 1... low read-only
        sasl.client.callback.handler.class class null - medium read-only
        sasl.enabled.mechanisms list GSSAPI - medium per-broker
        sasl.jaas.config password null - medium per-broker
        sasl.kerberos.kinit.cmd string /usr/bin/kinit - medium per-broker
        sasl.kerberos.min.time.before.relogin long 60000 - medium per-broker
        sasl.kerberos.principal.to.local.rules list DEFAULT - medium per-broker
        sasl.kerberos.service.name string null - medium per-broker
        sasl.kerberos.ticket.renew.jitter double 0.05 - medium per-broker
        sasl.kerberos.ticket.renew.window.factor double 0.8 - medium per-broker
        sasl.login.callback.handler.class class null - medium read-only
        sasl.login.class class null - medium read-only
        sasl.login.connect.timeout.ms int null - low read-only
        sasl.login.read.timeout.ms int null - low read-only
        sasl.login.refresh.buffer.seconds short 300 - medium per-broker
        sasl.login.refresh.min.period.seconds short 60 - medium per-broker
        sasl.login.refresh.window.factor double 0.8 - medium per-broker
        sasl.login.refresh.window.jitter double 0.05 - medium per-broker
        sasl.login.retry.backoff.max.ms long 10000 - low read-only
        sasl.login.retry.backoff.ms long 100 - low read-only
        sasl.mechanism.controller.protocol string GSSAPI - high read-only
        sasl.mechanism.inter.broker.protocol string GSSAPI - medium per-broker
        sasl.oauthbearer.clock.skew.seconds int 30 - low read-only
        sasl.oauthbearer.expected.audience list null - low read-only
        sasl.oauthbearer.expected.issuer string null - low read-only
        sasl.oauthbearer.jwks.endpoint.refresh.ms long 3600000 - low read-only
        sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms long 10000 - low read-only
        sasl.oauthbearer.jwks.endpoint.retry.backoff.ms long 100 - low read-only
        sasl.oauthbearer.jwks.endpoint.url string null - medium read-only
        sasl.oauthbearer.scope.claim.name string scope - low read-only
        sasl.oauthbearer.sub.claim.name string sub - low read-only
        sasl.oauthbearer.token.endpoint.url string null - medium read-only
        sasl.server.callback.handler.class class null - medium read-only
        sasl.server.max.receive.size int 524288 - medium read-only
        security.providers string null - low read-only
        server.max.startup.time.ms long 9223372036854775807 0... medium read-only
        socket.connection.setup.timeout.max.ms long 30000 - medium read-only
        socket.connection.setup.timeout.ms long 10000 - medium read-only
        socket.listen.backlog.size int 50 1... medium read-only
        socket.receive.buffer.bytes int 102400 - high read-only
        socket.send.buffer.bytes int 102400 - high read-only
        ssl.allow.dn.changes boolean false - low read-only
        ssl.allow.san.changes boolean false - low read-only
        ssl.cipher.suites list - - medium per-broker
        ssl.client.auth string none required|requested|none medium per-broker
        ssl.enabled.protocols list TLSv1.2,TLSv1.3 - medium per-broker
        ssl.endpoint.identification.algorithm string https - low per-broker
        ssl.engine.factory.class class null - low per-broker
        ssl.key.password password null - medium per-broker
        ssl.keymanager.algorithm string SunX509 - medium per-broker
        ssl.keystore.certificate.chain password null - medium per-broker
        ssl.keystore.key password null - medium per-broker
        ssl.keystore.location string null - medium per-broker
        ssl.keystore.password password null - medium per-broker
        ssl.keystore.type string JKS - medium per-broker
        ssl.principal.mapping.rules string DEFAULT - low read-only
        ssl.protocol string TLSv1.3 - medium per-broker
        ssl.provider string null - medium per-broker
        ssl.secure.random.implementation string null - low per-broker
        ssl.trustmanager.algorithm string PKIX - medium per-broker
        ssl.truststore.certificates password null - medium per-broker
        ssl.truststore.location string null - medium per-broker
        ssl.truststore.password password null - medium per-broker
        ssl.truststore.type string JKS - medium per-broker
        telemetry.max.bytes int 1048576 1... low read-only
        transaction.abort.timed.out.transaction.cleanup.interval.ms int 10000 1... low read-only
        transaction.max.timeout.ms int 900000 1... high read-only
        transaction.partition.verification.enable boolean true - low cluster-wide
        transaction.remove.expired.transaction.cleanup.interval.ms int 3600000 1... low read-only
        transaction.state.log.load.buffer.size int 5242880 1... high read-only
        transaction.state.log.min.isr int 2 1... high read-only
        transaction.state.log.num.partitions int 50 1... high read-only
        transaction.state.log.replication.factor short 3 1... high read-only
        transaction.state.log.segment.bytes int 104857600 1... high read-only
        transactional.id.expiration.ms int 604800000 1... high read-only
        unclean.leader.election.interval.ms long 300000 1... medium read-only
        unstable.api.versions.enable boolean false - high read-only
        unstable.feature.versions.enable boolean false - high read-only
        zookeeper.clientCnxnSocket string null - medium read-only
        zookeeper.max.in.flight.requests int 10 1... high read-only
        zookeeper.metadata.migration.enable boolean false - high read-only
        zookeeper.metadata.migration.min.batch.size int 200 1... medium read-only
        zookeeper.set.acl boolean false - high read-only
        zookeeper.ssl.cipher.suites list null - low read-only
        zookeeper.ssl.client.enable boolean false - medium read-only
        zookeeper.ssl.crl.enable boolean false - low read-only
        zookeeper.ssl.enabled.protocols list null - low read-only
        zookeeper.ssl.endpoint.identification.algorithm string HTTPS - low read-only
        zookeeper.ssl.keystore.location string null - medium read-only
        zookeeper.ssl.keystore.password password null - medium read-only
        zookeeper.ssl.keystore.type string null - medium read-only
        zookeeper.ssl.ocsp.enable boolean false - low read-only
        zookeeper.ssl.protocol string TLSv1.2 - low read-only
        zookeeper.ssl.truststore.location string null - medium read-only
        zookeeper.ssl.truststore.password password null - medium read-only
        zookeeper.ssl.truststore.type string null - medium read-only
        """
}

extension String {
    /// `a...b` at `...`: no Foundation here.
    fileprivate func components(separatedBy separator: String) -> [String] {
        guard let range = firstRange(of: separator) else { return [self] }
        return [String(self[..<range.lowerBound]), String(self[range.upperBound...])]
    }
}
