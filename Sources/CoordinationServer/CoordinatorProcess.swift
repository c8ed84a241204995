import Configuration
import Platform

/// The coordinator as a program of its own: `letterbox coordinator FILE`.
package final class CoordinatorProcess: ServerProgram {
    private let config: CoordinatorConfig
    private let world: any World
    private var server: CoordinationServer?

    /// Switches of the command line, without their dashes.
    package static let switches = ["strict-config"]

    package init(_ properties: Properties, switches: Set<String> = [], world: any World) throws(ServerFailure) {
        do throws(ConfigError) { config = try CoordinatorConfig(properties) } catch {
            throw ServerFailure("the coordinator's settings: \(error)")
        }
        self.world = world
        let unknown = config.notUnderstood
        guard !unknown.isEmpty else { return }
        let words = unknown.map { entry in entry.name + (entry.nearest.map { " (did you mean \($0)?)" } ?? "") }
        let text =
            "\(unknown.count) setting\(unknown.count == 1 ? "" : "s") not understood: \(words.joined(separator: ", "))"
        guard !switches.contains("strict-config") else { throw ServerFailure(text) }
        world.journal.warning(text)
    }

    package func start(failed: @escaping (ServerFailure) -> Void) throws(ServerFailure) {
        world.journal.info(
            "read the settings",
            ["dataDir": config.dataDir, "clientPort": config.clientPort, "tick_ms": config.rules.tick])
        do throws(StartProblem) {
            server = try CoordinationServer.start(config: config, world: world) { reason in
                if let reason { failed(ServerFailure(reason)) }
            }
        } catch {
            throw ServerFailure(error.description)
        }
    }

    package func stop(then: @escaping () -> Void) {
        guard let server else { return then() }
        server.stop(then: then)
    }
}
