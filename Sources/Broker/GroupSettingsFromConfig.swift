import Configuration
import ConsumerGroups

extension GroupSettings {
    /// What `server.properties` says about groups.
    package init(_ config: BrokerConfig) {
        self.init()
        minSessionTimeout = config[BrokerKeys.groupMinSession]
        maxSessionTimeout = config[BrokerKeys.groupMaxSession]
        initialRebalanceDelay = config[BrokerKeys.groupInitialDelay]
        maxSize = config[BrokerKeys.groupMaxSize]
        offsetMetadataMaxBytes = config[BrokerKeys.offsetMetadataMax]
        offsetsRetention = config[BrokerKeys.offsetsRetention]
        retentionCheckInterval = config[BrokerKeys.offsetsRetentionCheck]
        commitTimeout = config[BrokerKeys.offsetsCommitTimeout]
    }
}
