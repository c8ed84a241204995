import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("A broker's loggers")
struct BrokerLoggersTests {
    private final class Lines: JournalSink {
        var texts: [String] = []
        func write(_ line: JournalLine) { texts.append(line.text) }
    }
    private let lines = Lines()
    private let simulation = Simulation(seed: 1)
    private let journal: Journal

    init() {
        journal = Journal(speaker: "test", level: .info, sink: lines, clock: simulation.node("n").world.clock)
        journal.loggers.components = BrokerLoggers.components
    }

    private func alter(_ steps: [BrokerLoggers.Step], validateOnly: Bool = false) -> ConfigAdmin.Problem? {
        do throws(ConfigAdmin.Problem) {
            try BrokerLoggers.alter(journal, steps, validateOnly: validateOnly)
            return nil
        } catch { return error }
    }
    private func level(_ name: String) -> LoggerLevel { journal.loggers.level(of: name) }

    @Test("are named as Kafka's, and all stand at the process's level at first") func names() {
        #expect(journal.loggers.names.contains("kafka.controller"))
        #expect(journal.loggers.names.first == "kafka" && journal.loggers.names.last == "root")
        #expect(journal.loggers.names.allSatisfy { level($0) == .info })
    }

    @Test("inherit from the name before the last dot, in the end from root") func inherit() {
        #expect(alter([(0, "root", "ERROR"), (0, "kafka.log", "TRACE")]) == nil)
        #expect(level("kafka.log.LogCleaner") == .trace)
        #expect(level("kafka.controller") == .error)
        #expect(alter([(0, "kafka.log.LogCleaner", "WARN"), (1, "kafka.log", nil)]) == nil)
        #expect(level("kafka.log.LogCleaner") == .warn)
        #expect(level("kafka.log") == .error)
    }

    @Test("let through what their component says, and keep the others' level") func effect() {
        let copy = journal.speaking(as: "another")
        func speak(_ text: String) {
            copy.debug("\(text) debug", file: "Broker/ControllerDriver+Telling.swift")
            copy.info("\(text) info", file: "CommitLog/LogDirectory.swift")
            copy.error("\(text) error", file: "Broker/GroupDriver.swift")
            copy.info("\(text) root", file: "letterbox/ServerRun.swift")
        }
        speak("before")
        #expect(lines.texts == ["before info", "before error", "before root"])
        #expect(
            alter([
                (0, "kafka.controller", "DEBUG"), (0, "kafka.log.LogManager", "WARN"),
                (0, "kafka.coordinator.group", "FATAL"),
            ]) == nil)
        lines.texts = []
        speak("set")
        #expect(lines.texts == ["set debug", "set root"])
        #expect(
            alter([
                (1, "kafka.controller", nil), (1, "kafka.log.LogManager", nil), (1, "kafka.coordinator.group", nil),
            ]) == nil)
        lines.texts = []
        speak("after")
        #expect(lines.texts == ["after info", "after error", "after root"])
    }

    @Test("are changed all or not at all, and not when it is only asked whether they could be") func allOrNone() {
        #expect(alter([(0, "kafka", "DEBUG"), (0, "kafka.nobody", "DEBUG")])?.code == .invalidConfig)
        #expect(level("kafka") == .info)
        #expect(alter([(0, "kafka", "DEBUG")], validateOnly: true) == nil)
        #expect(level("kafka") == .info)
    }

    @Test("refuse as Kafka does") func refusals() {
        func refused(_ step: BrokerLoggers.Step, _ code: ErrorCode, _ message: String) {
            #expect(alter([step]) == ConfigAdmin.Problem(code, message))
        }
        refused((0, "kafka.nobody", "INFO"), .invalidConfig, "Logger kafka.nobody does not exist!")
        refused((1, "kafka.nobody", nil), .invalidConfig, "Logger kafka.nobody does not exist!")
        refused(
            (0, "kafka", "LOUD"), .invalidConfig,
            "Cannot set the log level of kafka to LOUD as it is not a supported log level. "
                + "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN")
        refused((1, "root", nil), .invalidRequest, "Removing the log level of the root logger is not allowed")
        refused((2, "kafka", "INFO"), .invalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource")
        refused(
            (3, "kafka", "INFO"), .invalidRequest, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource")
        refused((0, "kafka", nil), .invalidRequest, "Null value not supported for : kafka")
        #expect(BrokerLoggers.checkBroker("1", is: 1) == nil)
        #expect(BrokerLoggers.checkBroker("", is: 1)?.message == "Broker id must not be empty")
        #expect(BrokerLoggers.checkBroker("x", is: 1)?.code == .invalidRequest)
        #expect(BrokerLoggers.checkBroker("2", is: 1)?.code == .invalidRequest)
    }
}
