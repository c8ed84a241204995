import Tools

/// `letterbox simulate`: plays seeds, and tells the story of those that fail.
package enum SimulateCommand {
    static let help = HelpText(
        "Plays a coordinator, three brokers and their clients in one thread, from a seed, while things break.",
        examples: [
            "letterbox simulate --seeds 1..200",
            "letterbox simulate --seed 17 --plan",
            "letterbox simulate --seed 17 --faults '3250 kill leader for 4100; 5000 cut broker-1 brokers for 900'",
        ],
        options: [
            .value("seed", of: "N", help: "Play this one."),
            .value("seeds", of: "A..B", help: "Play all of these."),
            .value(
                "seconds", of: "N", help: "How long clients work and things break, in simulated seconds (default 60)."),
            .value("faults", of: "LIST", help: "Break this instead of what the seed draws; '' for nothing."),
            .value(
                "planted", of: "MISTAKE",
                help: "Make this mistake on purpose, and tell how many seeds find it: "
                    + Setting.Planted.allCases.map(\.rawValue).joined(separator: ", ") + "."),
            .flag(
                "administrator",
                help: "Somebody changes topics, assignments and settings meanwhile, whether the seed draws that or not."
            ),
            .flag("no-administrator", help: "Nobody does."),
            .flag("plan", help: "Only show what would be played."),
            .flag("hash", help: "Show a hash of everything that happened: equal plays have equal ones."),
            .flag("shrink", help: "Find a shorter list of faults that fails too."),
            .flag("go-on", help: "Play the rest after a failure."),
            .flag("help", help: "This."),
        ])

    /// Exit status: 0 when all was well, 1 when something was violated, 2 when the words were not understood.
    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        do throws(CommandLineError) {
            let line = try CommandLine(words, options: help.options)
            if line.has("help") {
                tool.say(help.text)
                return 0
            }
            return try run(line, tool)
        } catch {
            tool.warn(error.message)
            tool.warn(help.text)
            return 2
        }
    }

    private static func run(_ line: CommandLine, _ tool: any ToolWorld) throws(CommandLineError) -> Int32 {
        guard line.rest.isEmpty else { throw CommandLineError("\(line.rest[0]) is not understood") }
        let seeds = try seeds(line)
        let seconds = try line.integer("seconds") ?? 60
        guard 1...86_400 ~= seconds else { throw CommandLineError("--seconds takes 1 to 86400") }
        var faults: [Fault]?
        if let text = try line.value("faults") {
            guard let list = Fault.list(text) else { throw CommandLineError("--faults '\(text)' is not understood") }
            faults = list
        }
        var planted: Setting.Planted?
        if let name = try line.value("planted") {
            guard let known = Setting.Planted(rawValue: name) else {
                throw CommandLineError("--planted '\(name)' is not understood")
            }
            planted = known
        }
        guard !line.has("administrator") || !line.has("no-administrator") else {
            throw CommandLineError("with an administrator or without?")
        }
        let administrator: Bool? = line.has("administrator") ? true : line.has("no-administrator") ? false : nil
        var failed: [UInt64] = []
        var records = 0
        for seed in seeds {
            let plan = Plan(
                seed: seed, seconds: seconds, faults: faults, administrator: administrator, planted: planted)
            if line.has("plan") {
                describe(plan, tool)
                continue
            }
            let outcome = Play.play(plan)
            records += outcome.acknowledged
            let hash = line.has("hash") ? " hash \(String(outcome.hash, radix: 16))" : ""
            if line.has("hash") || seeds.count == 1 {
                tool.say(
                    "seed \(seed):\(hash) \(outcome.events) events, \(outcome.acknowledged) acknowledgements, "
                        + "\(outcome.committed) batches, well after \(outcome.mendedAfter)")
            }
            guard outcome.violation != nil else { continue }
            failed.append(seed)
            if let planted, seeds.count > 1 {
                tool.say("seed \(seed) found \(planted.rawValue): \(outcome.violation ?? "")")
                continue
            }
            tell(outcome, line, tool)
            if !line.has("go-on") { break }
        }
        if line.has("plan") { return 0 }
        if let planted, seeds.count > 1 {
            tool.say("\(failed.count) of \(seeds.count) plays of \(seconds) s found \(planted.rawValue)")
            return failed.isEmpty ? 1 : 0
        }
        if failed.isEmpty {
            tool.say("\(seeds.count) plays of \(seconds) s, \(records) acknowledgements: all well")
            return 0
        }
        tool.say("failed: \(failed.map(\.description).joined(separator: " "))")
        return 1
    }

    private static func seeds(_ line: CommandLine) throws(CommandLineError) -> ClosedRange<UInt64> {
        if let text = try line.value("seeds") {
            let ends = text.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
            guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
                throw CommandLineError("--seeds takes two numbers: 1..200")
            }
            return first...last
        }
        guard let text = try line.value("seed"), let seed = UInt64(text) else {
            throw CommandLineError("which seed? --seed N or --seeds A..B")
        }
        return seed...seed
    }

    private static func describe(_ plan: Plan, _ tool: any ToolWorld) {
        tool.say("seed \(plan.seed): \(plan.setting)")
        for fault in plan.faults { tool.say("  \(fault)") }
    }

    private static func tell(_ outcome: Outcome, _ line: CommandLine, _ tool: any ToolWorld) {
        tool.say("FAILED   seed \(outcome.plan.seed): \(outcome.violation ?? "")")
        describe(outcome.plan, tool)
        for line in outcome.timeline { tool.say(line) }
        tool.say("FAILED   seed \(outcome.plan.seed): \(outcome.violation ?? "")")
        guard line.has("shrink") else { return tool.say("again:   \(outcome.plan.command)") }
        let kind = outcome.violation.map(SimulateCommand.kind)
        let shrunk = Shrinking.shrunk(outcome.plan) { Play.play($0).violation.map(SimulateCommand.kind) == kind }
        tool.say("again:   \(shrunk.command)")
    }

    /// What stands before the colon: the same kind of violation, whoever and whatever it befell.
    private static func kind(_ violation: String) -> String {
        String(violation.prefix { $0 != ":" })
    }
}
