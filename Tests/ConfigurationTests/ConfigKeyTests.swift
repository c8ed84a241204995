import Testing

@testable import Configuration

private let lag = ConfigKey(
    "replica.lag.time.max.ms", type: .long, default: Duration.seconds(30), allowed: Duration.milliseconds(1)...,
    importance: .high, "How long a follower may trail the leader.")
private let hours = ConfigKey("log.retention.hours", unit: .hours, default: .seconds(168 * 3600), "How long.")
private let partitions = ConfigKey("num.partitions", default: 1, allowed: 1..., "For new topics.")
private let policy = ConfigKey("log.cleanup.policy", default: ["delete"], oneOf: ["compact", "delete"], "How.")
private let level = ConfigKey("compression.zstd.level", default: 3, allowed: -131072...22, "Level.")
private let rack = ConfigKey("broker.rack", default: "", "Where it stands.").unsetByDefault
private let secret = ConfigKey("password.encoder.secret", type: .password, default: "", "Secret.").unsetByDefault
private let ratio = ConfigKey("log.cleaner.io.buffer.load.factor", default: 0.9, "Load.")
private let flag = ConfigKey("auto.create.topics.enable", default: true, "Make topics.")

@Suite("A configuration key")
struct ConfigKeyTests {
    @Test("reads values of its type, with blanks around them")
    func reading() throws {
        #expect(try lag.value(" 500 ") == .milliseconds(500))
        #expect(try hours.value("2") == .seconds(7200))
        #expect(try policy.value("compact , delete") == ["compact", "delete"])
        #expect(try policy.value("") == [])
        #expect(try flag.value("FALSE") == false)
        #expect(try ratio.value("0.5") == 0.5)
        #expect(try rack.value("r1") == "r1")
    }

    @Test("refuses others in Kafka's words")
    func refusing() {
        func message(_ body: () throws(ConfigError) -> Void) -> String {
            do throws(ConfigError) { try body() } catch { return error.description }
            return ""
        }
        #expect(
            message { () throws(ConfigError) in _ = try partitions.value("0") }
                == "Invalid value 0 for configuration num.partitions: Value must be at least 1")
        #expect(
            message { () throws(ConfigError) in _ = try level.value("23") }
                == "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22")
        #expect(
            message { () throws(ConfigError) in _ = try partitions.value("3000000000") }
                == "Invalid value 3000000000 for configuration num.partitions: Not a number of type INT")
        #expect(
            message { () throws(ConfigError) in _ = try policy.value("delete,shred") }
                == "Invalid value shred for configuration log.cleanup.policy: String must be one of: compact, delete")
        #expect(
            message { () throws(ConfigError) in _ = try flag.value("yes") }
                == "Invalid value yes for configuration auto.create.topics.enable: Expected value to be either true or false"
        )
    }

    @Test("describes itself")
    func describing() {
        #expect(lag.defaultText == "30000" && lag.allowedText == "[1,...]" && lag.type.rawValue == 5)
        #expect(hours.defaultText == "168")
        #expect(level.allowedText == "[-131072,...,22]")
        #expect(policy.allowedText == "[compact, delete]" && policy.defaultText == "delete")
        #expect(rack.defaultText == nil && secret.isSensitive && !rack.isSensitive)
    }
}

@Suite("Settings")
struct SettingsTests {
    private let keys: [any AnyConfigKey] = [lag, hours, partitions, policy, rack]

    @Test("give a key's value, its default, or nothing")
    func values() throws {
        let settings = try Settings(["num.partitions": "3"], keys: keys)
        #expect(settings[partitions] == 3 && settings[lag] == .seconds(30) && settings[rack] == nil)
        #expect(settings.isSet(partitions) && !settings.isSet(lag) && settings.text(lag) == "30000")
    }

    @Test("name the nearest key for one that is not understood")
    func suggestions() throws {
        let settings = try Settings(["log.retention.hour": "1", "my.own": "2"], keys: keys)
        #expect(settings.notUnderstood.map(\.name) == ["log.retention.hour", "my.own"])
        #expect(settings.notUnderstood.map(\.nearest) == ["log.retention.hours", nil])
    }

    @Test("refuse a file with a wrong value")
    func wrong() {
        #expect(throws: ConfigError.self) { try Settings(["num.partitions": "many"], keys: keys) }
    }
}

extension Settings {
    fileprivate init(_ pairs: KeyValuePairs<String, String>, keys: [any AnyConfigKey]) throws {
        try self.init(Properties(pairs), keys: keys)
    }
}
