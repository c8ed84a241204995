/// `kafka-console-consumer`: prints records as they come.
package enum ConsoleConsumerCommand {
    package static func run(_ arguments: [String], world: any ToolWorld) -> Int32 {
        world.warn("kafka-console-consumer: not in this build")
        return 1
    }
}
