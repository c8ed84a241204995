import KafkaProtocol

extension ErrorCode {
    /// How Kafka's tools, which are Java programs, call an error; scripts look for these words.
    var exceptionName: String {
        let special: [ErrorCode: String] = [
            .corruptMessage: "CorruptRecordException", .requestTimedOut: "TimeoutException",
            .messageTooLarge: "RecordTooLargeException", .invalidTopicException: "InvalidTopicException",
            .networkException: "NetworkException", .topicAlreadyExists: "TopicExistsException",
            .invalidConfig: "InvalidConfigurationException", .unknownServerError: "UnknownServerException",
            .kafkaStorageError: "KafkaStorageException", .brokerIDNotRegistered: "BrokerIdNotRegisteredException",
        ]
        return "org.apache.kafka.common.errors."
            + (special[self]
                ?? description.split(separator: "_").map { $0.prefix(1) + $0.dropFirst().lowercased() }.joined()
                + "Exception")
    }

    /// The exception with its message: the broker's own, or the one that Kafka has for the code.
    func told(_ message: String? = nil) -> String {
        if let message, !message.isEmpty { return "\(exceptionName): \(message)" }
        let known: [ErrorCode: String] = [
            .offsetOutOfRange:
                "The requested offset is not within the range of offsets maintained by the server.",
            .unknownTopicOrPartition: "This server does not host this topic-partition.",
            .notController: "This is not the correct controller for this cluster.",
            .requestTimedOut: "The request timed out.",
            .kafkaStorageError: "Disk error when trying to access log file on the disk.",
            .logDirNotFound: "The user-specified log directory is not found in the broker config.",
            .policyViolation: "Request parameters do not satisfy the configured policy.",
        ]
        return known[self].map { "\(exceptionName): \($0)" } ?? exceptionName
    }
}
