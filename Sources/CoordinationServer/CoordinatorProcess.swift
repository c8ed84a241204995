import Configuration
import Platform

/// `letterbox coordinator FILE [--override key=value]…`, with the world chosen by the executable.
package enum CoordinatorProcess {
    /// - Returns: the settings, from the file and what overrides it.
    package static func config(_ arguments: [String], disk: any Disk) throws(StartProblem) -> CoordinatorConfig {
        guard let file = arguments.first, !file.hasPrefix("-") else {
            throw StartProblem("name a configuration file, for example: letterbox coordinator config/zookeeper.properties")
        }
        let bytes: [UInt8]
        do throws(DiskError) { bytes = try disk.contents(file, limit: 1 << 20) } catch {
            throw StartProblem("\(file) cannot be read: \(error.reason). Name an existing properties file.")
        }
        var properties: Properties
        do throws(PropertiesError) { properties = try Properties(parsing: bytes) } catch {
            throw StartProblem("\(file), \(error). Correct that line.")
        }
        var rest = arguments.dropFirst()
        while let word = rest.popFirst() {
            guard word == "--override", let assignment = rest.popFirst(), properties.override(assignment) else {
                throw StartProblem("\(word) was not understood. After the file only: --override key=value")
            }
        }
        do throws(ConfigError) { return try CoordinatorConfig(properties) } catch {
            throw StartProblem("\(file): \(error)")
        }
    }

    /// Binds, recovers and serves; the caller runs its world afterwards.
    /// - Parameter ended: what the process should end with, when the server has stopped by itself or was told to.
    package static func start(_ arguments: [String], world: any World, ended: @escaping (Int32) -> Void)
        throws(StartProblem) -> CoordinationServer
    {
        let config = try config(arguments, disk: world.disk)
        world.journal.notice(
            "read \(arguments.first ?? "")",
            ["dataDir": config.dataDir, "clientPort": config.clientPort, "tick": "\(config.rules.tick) ms"])
        return try CoordinationServer.start(config: config, world: world) { reason in ended(reason == nil ? 0 : 1) }
    }
}
