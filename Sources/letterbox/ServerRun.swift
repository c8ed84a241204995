import CSystem
import Configuration
import Glibc
import Platform
import PosixPlatform

/// Runs one server in front: its lines go to stdout, SIGTERM and SIGINT end it cleanly, a second SIGINT at once.
/// - Returns: the process's exit status.
func runServer(
    _ kind: String, _ words: [String], switches: [String] = [], speaker: (Properties) -> String,
    make: (ServerArguments, any World) throws(ServerFailure) -> any ServerProgram
) -> Int32 {
    if let word = words.first, word == "--help" || word == "-h" {
        tell("letterbox \(kind) FILE.properties [--override KEY=VALUE]...\(switches.map { " [--\($0)]" }.joined())")
        tell("Runs a \(kind) in front, its lines on stdout, until SIGTERM or Ctrl-C.")
        return 0
    }
    let arguments: ServerArguments
    do throws(ServerFailure) {
        arguments = try ServerArguments(words, kind: kind, knownSwitches: switches)
    } catch {
        complain("\(kind): \(error)")
        return 1
    }
    raiseDescriptorLimit()

    guard let style = JournalStyle(rawValue: arguments.logStyle) else {
        complain("\(kind): log.style is classic or narrated, not \(arguments.logStyle)")
        return 1
    }
    guard let level = JournalLevel(named: arguments.logLevel) else {
        complain("\(kind): log.level is debug, info, notice, warning or error, not \(arguments.logLevel)")
        return 1
    }
    let world = PosixWorld(speaker: speaker(arguments.properties), style: style, level: level)

    var stopping = false
    var program: (any ServerProgram)?
    var signals = [SIGTERM, SIGINT, SIGQUIT]
    // nohup wants hang-ups ignored; without it a closed terminal is a reason to stop cleanly.
    var hangup = sigaction()
    if sigaction(SIGHUP, nil, &hangup) == 0, hangup.__sigaction_handler.sa_handler == nil { signals.append(SIGHUP) }
    world.onSignals(signals) { signal in
        if signal == SIGQUIT {
            // Whoever is used to a Java server asks it for its threads' stacks so, and does not mean to end it.
            return world.journal.notice("SIGQUIT asks for stacks of threads, which are not told here; serving goes on")
        }
        if stopping {
            if signal == SIGINT { world.stop(130) }
            return
        }
        stopping = true
        guard let program else { return world.stop(0) }
        program.stop { world.stop(0) }
    }

    do throws(ServerFailure) {
        let made = try make(arguments, world)
        program = made
        try made.start { failure in
            world.journal.error(failure.description)
            world.stop(1)
        }
    } catch {
        world.journal.error(error.description)
        return 1
    }
    let status = world.run()
    withExtendedLifetime(program) {}
    return status
}

extension JournalLevel {
    init?(named name: String) {
        switch name.lowercased() {
        case "trace", "debug": self = .debug
        case "info": self = .info
        case "notice": self = .notice
        case "warn", "warning": self = .warning
        case "error", "fatal": self = .error
        default: return nil
        }
    }
}

/// A server may need a descriptor for each connection and three for each segment.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
        return
    }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// One line on stderr.
func complain(_ line: String) { put(line, to: 2) }
func tell(_ line: String) { put(line, to: 1) }

private func put(_ line: String, to fd: Int32) {
    var text = line + "\n"
    text.withUTF8 { _ = write(fd, $0.baseAddress, $0.count) }
}
