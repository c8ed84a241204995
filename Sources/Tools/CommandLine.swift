/// One option a tool knows.
package struct CommandOption {
    package enum Argument {
        case none
        case required
        /// The next word, unless it is an option itself.
        case optional
    }
    package var names: [String]
    package var argument: Argument
    /// What the argument is called in the help: `HOST:PORT`.
    package var value: String
    package var help: String
    package var isHidden: Bool

    package static func flag(_ names: String..., help: String, hidden: Bool = false) -> CommandOption {
        CommandOption(names: names, argument: .none, value: "", help: help, isHidden: hidden)
    }
    package static func value(_ names: String..., of value: String, help: String, hidden: Bool = false) -> CommandOption
    {
        CommandOption(names: names, argument: .required, value: value, help: help, isHidden: hidden)
    }
    package static func optional(_ names: String..., of value: String, help: String, hidden: Bool = false)
        -> CommandOption
    {
        CommandOption(names: names, argument: .optional, value: value, help: help, isHidden: hidden)
    }
}

/// Words that a tool does not understand; `message` is what jopt-simple says, which scripts know.
package struct CommandLineError: Error, Equatable {
    package var message: String
    package init(_ message: String) { self.message = message }
}

/// A tool's words, read as Kafka's tools read them: `--name value`, `--name=value`, and `-name value` for the same long name;
/// no abbreviations; `--` ends the options.
package struct CommandLine {
    /// By the option's first name; nil for an option given without its optional argument.
    private var values: [String: [String?]] = [:]
    private var canonical: [String: String] = [:]
    /// Words that belong to no option.
    package private(set) var rest: [String] = []

    package init(_ words: [String], options: [CommandOption]) throws(CommandLineError) {
        var known: [String: CommandOption] = [:]
        for option in options {
            for name in option.names {
                known[name] = option
                canonical[name] = option.names[0]
            }
        }
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            if word == "--" {
                rest += words[index...]
                break
            }
            guard word.hasPrefix("-"), word != "-" else {
                rest.append(word)
                continue
            }
            var name = word.drop { $0 == "-" }
            if word.hasPrefix("---") { name = word.dropFirst(2) }
            var attached: String?
            if let equals = name.firstIndex(of: "=") {
                attached = String(name[name.index(after: equals)...])
                name = name[..<equals]
            }
            guard let option = known[String(name)] else {
                throw CommandLineError("\(name) is not a recognized option")
            }
            let key = option.names[0]
            switch option.argument {
            case .none:
                if attached != nil { throw CommandLineError("Option \(name) does not accept arguments") }
                values[key, default: []].append(nil)
            case .required:
                if attached == nil, index < words.count {
                    attached = words[index]
                    index += 1
                }
                guard let attached else { throw CommandLineError("Option \(name) requires an argument") }
                values[key, default: []].append(attached)
            case .optional:
                if attached == nil, index < words.count, !words[index].hasPrefix("-") {
                    attached = words[index]
                    index += 1
                }
                values[key, default: []].append(attached)
            }
        }
    }

    package func has(_ name: String) -> Bool { values[canonical[name] ?? name] != nil }

    /// Every value given for an option, in order.
    package func all(_ name: String) -> [String] { (values[canonical[name] ?? name] ?? []).compactMap { $0 } }

    /// The one value of an option; nil when it was not given, or without its optional argument.
    package func value(_ name: String) throws(CommandLineError) -> String? {
        let given = all(name)
        guard given.count <= 1 else {
            throw CommandLineError("Found multiple arguments for option \(name), but you asked for only one")
        }
        return given.first
    }

    package func integer(_ name: String) throws(CommandLineError) -> Int? {
        guard let text = try value(name) else { return nil }
        guard let number = Int(text) else {
            throw CommandLineError("Cannot parse argument '\(text)' of option \(name)")
        }
        return number
    }

    package func require(_ name: String) throws(CommandLineError) {
        guard has(name) else { throw CommandLineError("Missing required argument \"[\(name)]\"") }
    }
}

/// A tool's `--help`: one sentence, lines worth pasting, the options.
package struct HelpText {
    package var sentence: String
    package var examples: [String]
    package var options: [CommandOption]

    package init(_ sentence: String, examples: [String], options: [CommandOption]) {
        self.sentence = sentence
        self.examples = examples
        self.options = options
    }

    package var text: String {
        var lines = [sentence]
        lines += examples.map { "  " + $0 }
        lines.append("Options:")
        for option in options where !option.isHidden {
            var head = "  --\(option.names[0])"
            if !option.value.isEmpty {
                head += option.argument == .optional ? " [\(option.value)]" : " \(option.value)"
            }
            if head.count < 34 {
                head += String(repeating: " ", count: 34 - head.count)
            } else {
                lines.append(head)
                head = String(repeating: " ", count: 34)
            }
            var line = head
            for word in option.help.split(separator: " ") {
                if line.count + word.count + 1 > 110 {
                    lines.append(line)
                    line = String(repeating: " ", count: 34)
                }
                line += line.hasSuffix(" ") ? word : " " + word
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }
}
