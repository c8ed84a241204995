import Configuration
import Platform

/// The coordinator as a program of its own: `letterbox coordinator FILE`.
package final class CoordinatorProcess: ServerProgram {
    private let config: CoordinatorConfig
    private let world: any World
    private var server: CoordinationServer?

    package init(_ properties: Properties, world: any World) throws(ServerFailure) {
        do throws(ConfigError) { config = try CoordinatorConfig(properties) } catch {
            throw ServerFailure("the coordinator's settings: \(error)")
        }
        self.world = world
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
